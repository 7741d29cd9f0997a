package plugins

import (
	"errors"
	"sync"

	"github.com/discv5/host/core"
)

// protocols tells which plugin serves which TALK protocol. A plugin keeps those that it serves for as long as its block exists and
// is not refused, so that nobody takes them while it restarts.
type protocols struct {
	node *core.Node

	mu     sync.Mutex // held while core is told, which never calls back
	served map[string]*served
}

type served struct {
	by     *keeper
	remove func()
}

// claim makes a plugin the one that serves all of the protocols, or none of them.
func (p *protocols) claim(k *keeper, names []string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var mine []string
	for _, name := range names {
		s := p.served[name]
		if s != nil && s.by != k {
			p.release(mine)
			return refusal{&ConflictError{Protocol: name, First: s.by.id, Second: k.id}}
		}
		if s != nil {
			continue
		}
		remove, err := p.node.HandleAsync(name, k.route)
		if err != nil {
			p.release(mine)
			if errors.Is(err, core.ErrProtocolTaken) {
				return refusal{&ConflictError{Protocol: name, First: "the host itself", Second: k.id}}
			}
			return err
		}
		p.served[name] = &served{by: k, remove: remove}
		mine = append(mine, name)
	}
	return nil
}

// keep makes a plugin give up all protocols but some.
func (p *protocols) keep(k *keeper, names []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept := make(map[string]bool)
	for _, name := range names {
		kept[name] = true
	}
	for name, s := range p.served {
		if s.by == k && !kept[name] {
			p.release([]string{name})
		}
	}
}

func (p *protocols) release(names []string) {
	for _, name := range names {
		p.served[name].remove()
		delete(p.served, name)
	}
}

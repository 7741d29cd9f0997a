package plugins

import (
	"errors"
	"sync"

	"github.com/discv5/host/core"
)

// protocols tells which plugin serves which TALK protocol. A plugin keeps those that it serves for as long as its block exists and
// is not refused, so that nobody takes them while it restarts. A Reload may move them: whoever gets one takes it when it serves.
type protocols struct {
	node *core.Node

	mu     sync.Mutex // held while core is told, which never calls back
	served map[string]*served
	moves  map[string]string // protocols that others give up in the configuration, and the ids of the plugins that get them
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
		s, to := p.served[name], p.moves[name]
		switch {
		case to == k.id && s != nil: // until it serves, the other one does
			continue
		case to != "" && to != k.id && (s == nil || s.by != k):
			p.release(mine)
			return refusal{&ConflictError{Protocol: name, First: to, Second: k.id}}
		case s != nil && s.by != k:
			p.release(mine)
			return refusal{&ConflictError{Protocol: name, First: s.by.id, Second: k.id}}
		case s != nil:
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

// keep makes a plugin give up all protocols but some, and take those of them that move to it.
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
	for name := range kept {
		if p.moves[name] == k.id {
			p.take(k, name)
		}
	}
}

// take makes a protocol that moves to a plugin its own. Between the two there is a moment without anybody.
func (p *protocols) take(k *keeper, name string) {
	delete(p.moves, name)
	if s := p.served[name]; s != nil && s.by == k {
		return
	} else if s != nil {
		p.release([]string{name})
	}
	if remove, err := p.node.HandleAsync(name, k.route); err == nil { // nobody can have it, or the node is closed
		p.served[name] = &served{by: k, remove: remove}
	}
}

// move prepares for a configuration, in place of the one before: its plugins may take protocols from those that give them up. blocks are
// valid.
func (p *protocols) move(blocks []Block) {
	owners := make(map[string]string)
	yields := make(map[string]bool) // all that it does not name; what others will describe nobody knows
	for i := range blocks {
		b := &blocks[i]
		yields[b.ID()] = b.Disabled || len(b.Protocols) > 0
		if b.Disabled {
			continue
		}
		for _, name := range b.Protocols {
			owners[name] = b.ID()
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.moves = make(map[string]string)
	for name, s := range p.served {
		if to, ok := owners[name]; ok && to != s.by.id && yields[s.by.id] {
			p.moves[name] = to
		}
	}
}

// stay makes a plugin whose block could not be changed keep what it has, and take nothing.
func (p *protocols) stay(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, to := range p.moves {
		if s := p.served[name]; to == id || s != nil && s.by.id == id {
			delete(p.moves, name)
		}
	}
}

func (p *protocols) release(names []string) {
	for _, name := range names {
		p.served[name].remove()
		delete(p.served, name)
	}
}

package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	// lastWords is how long the store may take for what waits to be written when the node is closed.
	lastWords = time.Second
	// closeGrace is how long Close waits for filters and the store. One that hangs is abandoned then.
	closeGrace = lastWords + 100*time.Millisecond
)

// guest is a goroutine that calls a filter or the store, which may never return.
type guest struct {
	name string
	done chan struct{}
}

func (g guest) ended() bool {
	select {
	case <-g.done:
		return true
	default:
		return false
	}
}

// host starts the goroutine of a guest.
func (n *Node) host(name string, run func()) {
	g := guest{name, make(chan struct{})}
	n.guests = slices.DeleteFunc(n.guests, guest.ended) // filters come and go
	n.guests = append(n.guests, g)
	go func() {
		defer close(g.done)
		run()
	}()
}

// dismiss waits for the guests of a closed node, and abandons those that hang.
func (n *Node) dismiss() {
	ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
	defer cancel()
	for _, g := range n.guests {
		select {
		case <-g.done:
			continue
		default:
		}
		select {
		case <-g.done:
		case <-ctx.Done():
			n.log.Error("hangs at close and is abandoned", "plugin", g.name)
		}
	}
}

// errPanic says that a filter or a store panicked.
var errPanic = errors.New("panic")

// contained calls f and makes an error of a panic.
func contained(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errPanic, r)
		}
	}()
	return f()
}

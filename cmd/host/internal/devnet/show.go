package devnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/discv5/host/core"
	"github.com/discv5/host/plugins"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/hashicorp/go-hclog"
)

// Times of the show.
const (
	redraw    = 100 * time.Millisecond // on a terminal
	report    = time.Second            // elsewhere
	settled   = 3 * time.Second        // without a newcomer the network counts as formed
	longest   = 30 * time.Second       // until the questions are asked in any case
	answering = 5 * time.Second        // for one question
)

// Host is what the host of a Show has besides its node.
type Host struct {
	Plugins *plugins.Set // not run before; Show closes them
	// Serve lets others ask the host, until what it returns is closed.
	Serve func(*core.Node, *plugins.Set) (io.Closer, error)
	Place string // where they ask, for Show to tell
	// Command is what people write to run this program; Show tells what to try.
	Command string
	Log     hclog.Logger
}

// Show adds a host to the network, shows on w how it comes to know the others, asks its questions and says what to
// try. It returns when ctx ends, with nil then.
func (n *Network) Show(ctx context.Context, w io.Writer, h Host) (err error) {
	d, set, log := newDisplay(w), h.Plugins, h.Log
	d.print("%d nodes on 127.0.0.1, who know of node 1 alone. A host joins through node 1:\n", len(n.nodes))
	start := time.Now()
	host, err := n.join(core.Config{Logger: log, Filters: set.Filters(), Store: set.Store()})
	if err != nil {
		return fmt.Errorf("start the host: %w", err)
	}
	defer func() {
		set.Quiesce()
		err = errors.Join(err, host.Close(), set.Close())
	}()
	if err := set.Run(host); err != nil {
		return fmt.Errorf("start the plugins: %w", err)
	}
	served, err := h.Serve(host, set)
	if err != nil {
		return fmt.Errorf("serve the admin API: %w", err)
	}
	defer func() { err = errors.Join(served.Close(), err) }()

	n.watch(ctx, host, d, start)
	if ctx.Err() == nil {
		n.question(ctx, host, d)
	}
	if ctx.Err() == nil {
		n.atWork(ctx, host, set, d)
	}
	if ctx.Err() == nil {
		n.invite(host, h, d)
		<-ctx.Done()
	}
	return nil
}

// watch shows the progress until the network has formed.
func (n *Network) watch(ctx context.Context, host *core.Node, d *display, start time.Time) {
	pause := report
	if d.terminal {
		pause = redraw
	}
	tick := time.NewTicker(pause)
	defer tick.Stop()
	best, grew := 0, start
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := time.Now()
		p := progress{elapsed: now.Sub(start), others: len(n.nodes), median: n.MedianVerified()}
		p.known, p.verified = host.Len()
		d.progress(p)
		if sum := p.verified + p.median; sum > best {
			best, grew = sum, now
		}
		if p.formed() || p.verified > 0 && now.Sub(grew) >= settled || p.elapsed >= longest {
			return
		}
	}
}

// question asks what discovery is about: where is somebody, are you there, and may I talk to you.
func (n *Network) question(ctx context.Context, host *core.Node, d *display) {
	number, member := n.stranger(host)
	id := member.ID()
	d.print("\nA search for node %d (%s):", number, id.TerminalString())

	ctx, cancel := context.WithTimeout(ctx, 3*answering)
	defer cancel()
	before := time.Now()
	found, err := host.Lookup(ctx, id)
	took := time.Since(before)
	switch i := slices.IndexFunc(found, func(f *enode.Node) bool { return f.ID() == id }); {
	case err != nil:
		d.print("  lookup  %v", err)
		return
	case i < 0:
		d.print("  lookup  not found among the %d closest nodes, in %v", len(found), round(took))
	default:
		d.print("  lookup  found in %v", round(took))
		member = found[i]
	}
	pong, err := host.Ping(ctx, member)
	if err == nil { // the first may contain a handshake
		pong, err = host.Ping(ctx, member)
	}
	if err != nil {
		d.print("  ping    %v", err)
		return
	}
	d.print("  ping    answered in %v, and sees us at %v", round(pong.RTT), pong.Recipient)

	before = time.Now()
	answer, err := host.Talk(ctx, member, EchoProtocol, []byte("hello"))
	if err != nil {
		d.print("  talk    %v", err)
		return
	}
	d.print("  talk    %q came back from %q in %v", answer, EchoProtocol, round(time.Since(before)))
}

// stranger picks a random node, one that the host does not know if there is any, and returns its number.
func (n *Network) stranger(host *core.Node) (int, *enode.Node) {
	order := rand.Perm(len(n.nodes))
	for _, i := range order {
		if host.Node(n.nodes[i].ID()) == nil {
			return i + 1, n.nodes[i].Self()
		}
	}
	return order[0] + 1, n.nodes[order[0]].Self()
}

// invite says what to try.
func (n *Network) invite(host *core.Node, h Host, d *display) {
	record := host.Self().String()
	other := n.nodes[len(n.nodes)-1].ID()
	d.print("\nThe host's record:\n%s\n", record)
	d.print("Try in another terminal:\n")
	d.print("  %s ping %s\n", h.Command, record)
	d.print("  %s lookup %s --bootnode %s\n", h.Command, other, record)
	d.print("  %s talk %s %s 0x6869", h.Command, record, EchoProtocol)
	d.print("  %s status --socket %s", h.Command, h.Place)
	d.print("  %s events --socket %s", h.Command, h.Place)
	d.print("Ctrl-C stops it all.")
}

// round makes a time readable.
func round(d time.Duration) time.Duration {
	if d < 10*time.Millisecond {
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(time.Millisecond)
}

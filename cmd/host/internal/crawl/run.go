package crawl

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/discv5/host/core"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// Asker sends requests: a [core.Node].
type Asker interface {
	FindNodeAt(ctx context.Context, node *enode.Node, addr netip.AddrPort, distances []uint) ([]*enode.Node, time.Duration, error)
}

// Runner runs a crawl in real time.
type Runner struct {
	Machine  *Machine // that knows where to begin
	Asker    Asker
	State    *State                                // nil: nothing is kept
	Progress func(elapsed time.Duration, c Counts) // called every tick; nil: nobody looks
}

// tick is how often the state is written and progress is shown.
const tick = 250 * time.Millisecond

// outcome is what came of a request.
type outcome struct {
	ask   Ask
	nodes []*enode.Node
	rtt   time.Duration
	err   error
}

// Run crawls until nobody is left to be asked, or until ctx ends; its deadline is [TimeOver]. An error is that of the state; what
// was found is in the machine all the same.
func (r *Runner) Run(ctx context.Context) (end End, err error) {
	asking, cancel := context.WithCancel(ctx)
	outcomes := make(chan outcome, r.Machine.cfg.Parallel) // room for all: nobody waits to deliver
	var running sync.WaitGroup
	defer func() {
		cancel()
		running.Wait()
		end, err = r.save(end, err)
	}()
	started := time.Now()
	ticks := time.NewTicker(tick)
	defer ticks.Stop()
	wake := time.NewTimer(time.Hour)
	defer wake.Stop()
	for {
		at := r.send(asking, &running, outcomes)
		if r.Machine.Done() {
			return Complete, nil
		}
		if at.IsZero() {
			at = time.Now().Add(time.Hour) // an outcome comes first
		}
		wake.Reset(time.Until(at))
		select {
		case o := <-outcomes:
			r.take(time.Now(), o)
		case <-wake.C:
		case now := <-ticks.C:
			if end, err := r.save("", nil); err != nil {
				return end, err
			}
			if r.Progress != nil {
				r.Progress(now.Sub(started), r.Machine.Counts())
			}
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return TimeOver, nil
			}
			return Interrupted, nil
		}
	}
}

// send starts the requests that are due, a goroutine each, and tells when the next one is.
func (r *Runner) send(ctx context.Context, running *sync.WaitGroup, outcomes chan<- outcome) time.Time {
	for {
		ask, ok, wake := r.Machine.Next(time.Now())
		if !ok {
			return wake
		}
		running.Go(func() {
			o := outcome{ask: ask}
			o.nodes, o.rtt, o.err = r.Asker.FindNodeAt(ctx, ask.Node, ask.Addr, ask.Distances)
			outcomes <- o
		})
	}
}

// take tells the machine what came of a request.
func (r *Runner) take(now time.Time, o outcome) {
	if o.err == nil {
		r.Machine.Answered(now, o.ask, o.nodes, o.rtt)
		return
	}
	r.Machine.Failed(now, o.ask, reasonOf(o.err))
}

func reasonOf(err error) Reason {
	switch {
	case errors.Is(err, core.ErrTimeout):
		return Timeout
	case errors.Is(err, core.ErrInvalidResponse):
		return Invalid
	case errors.Is(err, core.ErrNoAddress):
		return NoAddress
	}
	return Overload
}

// save hands the facts to the state.
func (r *Runner) save(end End, err error) (End, error) {
	facts := r.Machine.Facts()
	if r.State == nil || err != nil {
		return end, err
	}
	if err := r.State.Append(facts); err != nil {
		return StateFailed, err
	}
	return end, nil
}

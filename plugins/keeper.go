package plugins

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/discv5/host/core"
	"github.com/discv5/host/plugins/internal/link"
	"github.com/discv5/host/plugins/internal/process"
	"github.com/discv5/host/plugins/internal/supervise"
)

// keeper supervises one block for as long as it exists.
type keeper struct {
	// set before the goroutine starts, then read-only
	set      *Set
	id       string
	kind     Kind
	route    *link.Route        // of a talk plugin
	filter   *slot[core.Filter] // of a filter plugin
	store    *slot[core.Store]  // of a store plugin
	ctx      context.Context    // ends when the plugin is to end
	cancel   context.CancelFunc // of ctx
	commands chan command       // to the goroutine
	health   chan healthAnswer  // to the goroutine
	withdrew chan struct{}      // a command for which a start was given up does not come; room for one
	done     chan struct{}      // closed when the goroutine has ended
	retired  sync.WaitGroup     // incarnations that are drained behind another, and the question for the health
	tried    chan struct{}      // closed when it was started once, or need not be
	claimed  chan struct{}      // closed when it has claimed its protocols once, or was tried

	// owned by the goroutine
	block   Block
	machine *supervise.Machine
	check   supervise.Health
	polls   *incarnation // whose health is asked for
	pollAt  time.Time
	removed bool
	anew    bool        // the next incarnation may decide in another way than the last one
	off     bool        // an operator or the configuration has disabled it
	cut     bool        // the last start was given up for a command
	program os.FileInfo // of the last incarnation that served
	first   sync.Once
	claims  sync.Once
	earlier []*keeper // talk plugins whose protocols go first, when it is started first

	mu        sync.Mutex // a leaf; for Status, Filters and interrupt
	now       snapshot
	joined    bool                    // core has its filter
	interrupt context.CancelCauseFunc // of the start under way
	waiting   int                     // commands for which starts are given up, on their way to the goroutine
}

// command is a function that the keeper's goroutine runs. What it does is finished even if nobody waits for it any more.
type command struct {
	run   func(context.Context) error
	reply chan error
	first bool // starts are given up for it
}

// healthAnswer is what a plugin said about its health.
type healthAnswer struct {
	of      *incarnation
	status  link.HealthStatus
	message string
	err     error
}

var errInterrupted = errors.New("plugins: a command came in between")

func newKeeper(s *Set, b Block) *keeper {
	k := &keeper{
		set: s, id: b.ID(), kind: b.Kind, block: b,
		anew: true, commands: make(chan command), withdrew: make(chan struct{}, 1), health: make(chan healthAnswer, 1), done: make(chan struct{}), tried: make(chan struct{}), claimed: make(chan struct{}),
		machine: supervise.New(time.Now(), s.cfg.policy, rand.Float64),
	}
	k.ctx, k.cancel = context.WithCancel(context.Background())
	k.check = supervise.Health{Silence: s.cfg.timing.silence}
	switch b.Kind {
	case Talk:
		k.route = link.NewRoute(k.talkConfig(&b, nil))
	case Filter:
		k.filter = newSlot[core.Filter](k.id)
		k.filter.coming = !b.Disabled
	case Store:
		k.store = newSlot[core.Store](k.id)
		k.store.coming = !b.Disabled
	}
	k.publish(nil)
	return k
}

// run is the goroutine.
func (k *keeper) run() {
	defer close(k.done)
	defer k.settled()
	if k.block.Disabled {
		k.off = true
		k.handle(supervise.Disable, "the configuration disables it")
		k.settled()
	} else {
		k.attempt(k.ctx, supervise.Start, "")
	}
	for !k.removed {
		exited, talk, filter, host := k.current().broken()
		timer := time.NewTimer(time.Until(k.wakeAt()))
		select {
		case <-k.ctx.Done():
			timer.Stop()
			k.shutdown()
			return
		case c := <-k.commands:
			k.arrived(c)
			c.reply <- c.run(k.ctx)
			k.resume()
		case <-k.withdrew:
			k.resume()
		case a := <-k.health:
			k.judge(a)
		case <-exited:
			k.broke()
		case <-talk:
			k.broke()
		case <-filter:
			k.broke()
		case <-host:
			k.broke()
		case <-timer.C:
			k.tick()
		}
		timer.Stop()
	}
	k.retired.Wait()
}

// settled is called when the plugin was started once, or need not be.
func (k *keeper) settled() {
	k.claim()
	k.first.Do(func() {
		k.join()
		close(k.tried)
	})
}

// claim is called when the plugin has claimed its protocols, or will not do so soon.
func (k *keeper) claim() { k.claims.Do(func() { close(k.claimed) }) }

// giveWay waits for those that stand before the plugin in the configuration, so that they have what they claim too.
func (k *keeper) giveWay(ctx context.Context) {
	timer := time.NewTimer(k.set.cfg.timing.claim)
	defer timer.Stop()
	for _, other := range k.earlier {
		select {
		case <-other.claimed:
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// join hands a filter to core when it was started once: before, each node would wait for it in vain. One that is disabled has no say.
func (k *keeper) join() {
	if k.kind != Filter || k.off || k.removed || k.ctx.Err() != nil {
		return
	}
	k.mu.Lock()
	joined := k.joined
	k.joined = true
	k.mu.Unlock()
	if !joined {
		k.set.tellFilters()
	}
}

// leave takes a filter away from core.
func (k *keeper) leave() {
	k.mu.Lock()
	k.joined = false
	k.mu.Unlock()
	k.set.tellFilters()
}

// wakeAt is when tick has something to do.
func (k *keeper) wakeAt() time.Time {
	if at, ok := k.machine.Next(); ok {
		return at
	}
	if k.current() != nil && k.polls == nil {
		return k.pollAt
	}
	return time.Now().Add(time.Hour)
}

func (k *keeper) tick() {
	now := time.Now()
	if at, ok := k.machine.Next(); ok && !now.Before(at) {
		k.attempt(k.ctx, supervise.Start, "")
		return
	}
	if in := k.current(); in != nil && k.polls == nil && !now.Before(k.pollAt) {
		k.polls = in
		k.retired.Go(func() {
			ctx, cancel := context.WithTimeout(k.ctx, k.set.cfg.timing.healthTimeout)
			defer cancel()
			a := healthAnswer{of: in}
			a.status, a.message, a.err = link.Health(ctx, in.proc.Conn())
			k.health <- a // there is room: one is asked at a time
		})
	}
}

// judge takes an answer about the health. A talk plugin may be well by its own account and owe every response that it may owe.
func (k *keeper) judge(a healthAnswer) {
	k.polls = nil
	now := time.Now()
	k.pollAt = now.Add(k.set.cfg.timing.health)
	if a.of != k.current() {
		return
	}
	var reason string
	var dead bool
	switch {
	case a.err != nil:
		reason, dead = k.check.Unanswered(now, a.err.Error())
	case a.status == link.Failing:
		reason, dead = k.check.Answered(now, a.message)
	default:
		k.check.Answered(now, "")
		if a.status == link.Degraded {
			reason = a.message
		}
	}
	state, _, known := k.machine.State()
	if starved := a.of.starved(k.set.cfg.timing.starved); starved != "" && !dead {
		reason, dead = starved, true
	}
	if reason == "" {
		reason = a.of.tripped()
	}
	switch {
	case dead:
		k.crashed(a.of, reason)
	case reason == "" && a.status != link.Degraded:
		k.handle(supervise.Better, "")
	case state != supervise.Degraded || known != reason:
		k.handle(supervise.Worse, reason)
	}
}

// broke is called when the plugin cannot go on.
func (k *keeper) broke() {
	in := k.current()
	k.crashed(in, in.failure().Error())
}

// crashed ends an incarnation that does not work.
func (k *keeper) crashed(in *incarnation, reason string) {
	k.serve(nil, false)
	in.close()
	k.ended(in)
	k.handle(supervise.Crash, reason)
	k.given()
}

// given is called after a failure: it gives up what a plugin has that is not started again.
func (k *keeper) given() {
	k.expect()
	switch k.state() {
	case supervise.Refused:
		if k.kind == Talk {
			k.set.protocols.keep(k, nil)
		}
		k.release()
	case supervise.Disabled:
		k.release()
	}
}

// attempt starts the plugin, and makes it the one that serves. When it fails, it gives up what a plugin has that is not started
// again.
func (k *keeper) attempt(ctx context.Context, e supervise.Event, reason string) error {
	k.cut, k.off = false, false
	if k.handle(e, reason); k.state() != supervise.Starting {
		return fmt.Errorf("%w: it is %v", ErrUnavailable, k.state())
	}
	err := k.try(ctx)
	if err != nil {
		k.given()
	}
	return err
}

// try is attempt for a plugin that is Starting, and gives up nothing.
func (k *keeper) try(ctx context.Context) error {
	k.expect()
	in, err := k.start(ctx, &k.block, func(*process.Process) { k.handle(supervise.Launched, "") })
	defer k.settled()
	switch {
	case err == nil:
		k.install(in, nil, supervise.Ready, "")
		return nil
	case errors.Is(err, errInterrupted), k.ctx.Err() != nil:
		k.cut = true
		k.handle(supervise.Drain, "it is not started to the end")
		k.handle(supervise.Ended, "")
		return err
	case refused(err):
		k.tell(supervise.Refuse, err.Error(), Hint(err))
	default:
		k.tell(supervise.Crash, err.Error(), Hint(err))
	}
	k.failed(err)
	k.join()
	return err
}

// start is bring, until a command comes in between.
func (k *keeper) start(ctx context.Context, b *Block, launched func(*process.Process)) (*incarnation, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(k.ctx, func() { cancel(ErrClosed) })()
	k.mu.Lock()
	if k.interrupt = cancel; k.waiting > 0 {
		cancel(errInterrupted)
	}
	k.mu.Unlock()
	in, err := k.bring(ctx, b, launched)
	k.mu.Lock()
	k.interrupt = nil
	k.mu.Unlock()
	if err != nil && errors.Is(context.Cause(ctx), errInterrupted) {
		err = errInterrupted
	}
	return in, err
}

// install makes an incarnation the one that serves, in place of an old one if there is one.
func (k *keeper) install(in, old *incarnation, e supervise.Event, reason string) {
	now := time.Now()
	k.check.Begin(now)
	k.pollAt = now.Add(k.set.cfg.timing.health)
	k.serve(in, false)
	if k.kind == Talk {
		k.set.protocols.keep(k, in.protocols)
	}
	others := false // it is asked at other stages than the one before, or in another way
	k.publish(func(s *snapshot) {
		s.hint = ""
		others = !slices.Equal(s.stages, in.stages) || s.uniform != in.uniform
		s.stages, s.uniform = in.stages, in.uniform
		if s.in = in; old != nil {
			s.retiring = append(s.retiring, old)
		}
	})
	k.handle(e, reason)
	if k.kind == Filter {
		k.join()
		if others {
			k.set.tellFilters()
		}
		if k.anew || !sameProgram(k.program, in.program) {
			k.set.node.ForgetVerdicts(k.block.Name)
		}
	}
	k.anew, k.program = false, in.program
}

// sameProgram tells whether two incarnations run the same program; nil is none.
func sameProgram(a, b os.FileInfo) bool {
	return a != nil && b != nil && os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

// serve sends requests to an incarnation; nil: nowhere. hold makes them wait for another.
func (k *keeper) serve(in *incarnation, hold bool) {
	switch {
	case k.kind == Talk && in != nil:
		k.route.Switch(in.talk)
	case k.kind == Talk && hold:
		k.route.Hold()
	case k.kind == Talk:
		k.route.Switch(nil)
	case k.kind == Filter && in != nil:
		k.filter.set(in.filter, false)
	case k.kind == Filter:
		k.filter.set(nil, hold)
	case k.kind == Store && in != nil:
		k.store.set(in.store, false)
	case k.kind == Store:
		k.store.set(nil, hold)
	}
}

// expect tells filters and stores whether it is worth to wait for the plugin.
func (k *keeper) expect() {
	if k.kind == Talk {
		return
	}
	switch k.state() {
	case supervise.Starting, supervise.Configuring:
		k.serve(nil, true)
	default:
		k.serve(nil, false)
	}
}

// current is the incarnation that serves.
func (k *keeper) current() *incarnation {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.now.in
}

func (k *keeper) state() supervise.State {
	s, _, _ := k.machine.State()
	return s
}

// stop drains the plugin and ends it. It stays Stopped.
func (k *keeper) stop(reason string, drain time.Duration) {
	in := k.current()
	if in == nil {
		return
	}
	k.serve(nil, false)
	k.handle(supervise.Drain, reason)
	k.finish(in, drain)
	k.ended(in)
	k.handle(supervise.Ended, reason)
}

// finish drains an incarnation and ends it.
func (k *keeper) finish(in *incarnation, drain time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), drain)
	in.drain(ctx)
	cancel()
	in.end(k.set.cfg.timing.grace)
}

// release takes the plugin's fields out of the record.
func (k *keeper) release() {
	ctx, cancel := context.WithTimeout(k.ctx, time.Second)
	defer cancel()
	if err := k.set.node.RemoveFields(ctx, "plugin/"+k.id); err != nil && !errors.Is(err, core.ErrClosed) {
		k.set.cfg.Log.Warn("record fields of a plugin stay", "plugin", k.id, "err", err)
	}
}

// shutdown ends the plugin together with the host.
func (k *keeper) shutdown() {
	drain := k.set.cfg.timing.drain
	if k.kind == Store {
		drain /= 2 // the others have taken their time before
	}
	k.stop("the host ends", drain)
	if k.kind == Talk {
		k.set.protocols.keep(k, nil)
	}
	k.retired.Wait()
}

// do runs f on the keeper's goroutine. With interrupt a start that is under way is given up. When ctx ends before the goroutine takes
// the command, it does not run.
func (k *keeper) do(ctx context.Context, interrupt bool, f func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c := command{f, make(chan error, 1), interrupt}
	if interrupt {
		k.mu.Lock()
		k.waiting++
		if k.interrupt != nil {
			k.interrupt(errInterrupted)
		}
		k.mu.Unlock()
	}
	select {
	case k.commands <- c:
	case <-ctx.Done():
		if k.arrived(c); interrupt {
			select {
			case k.withdrew <- struct{}{}:
			default: // it will look anyway
			}
		}
		return ctx.Err()
	case <-k.done:
		return ErrClosed
	}
	select {
	case err := <-c.reply:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-k.done: // the command may have been the last one
		select {
		case err := <-c.reply:
			return err
		default:
			return ErrClosed
		}
	}
}

// arrived is called when a command is with the goroutine, or does not come.
func (k *keeper) arrived(c command) {
	if !c.first {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.waiting--
}

// resume starts the plugin again when its start was given up for a command that did not settle its state.
func (k *keeper) resume() {
	k.mu.Lock()
	waiting := k.waiting
	k.mu.Unlock()
	if k.cut && waiting == 0 && !k.removed && k.state() == supervise.Stopped {
		k.attempt(k.ctx, supervise.Start, "its start was given up for a command that did not come about")
	}
}

// maxSpaceName is the longest name of a space in core.
const maxSpaceName = 64

// spaceName is the name of a plugin's space: its id, shortened where it would be too long.
func spaceName(id string) string {
	if len(id) <= maxSpaceName {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return fmt.Sprintf("%s-%x", id[:maxSpaceName-17], sum[:8])
}

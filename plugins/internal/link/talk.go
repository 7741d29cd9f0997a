package link

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/discv5/host/codec"
	"github.com/discv5/host/core"
	"github.com/discv5/host/sdk/pluginpb"
	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
)

// TalkConfig is how a talk plugin is asked.
type TalkConfig struct {
	Protocols []string // as Configure told the plugin: requests name one by its place
	// Answer takes responses to core, like core.Node.AnswerTalk. It is called without any lock held.
	Answer func(...core.TalkAnswer)

	Deadline    time.Duration // of a request from its arrival; 300 ms
	MaxInFlight int           // requests that the plugin owes a response to, those given up included; 1024, at most 4096
	MaxPerPeer  int           // of them and of the queue, those of one peer; 32
	MaxQueue    int           // requests that wait to be sent; 4096, at most 16,384; negative: none
	MaxResponse int           // bytes of a response; codec.MaxTalkResponse, which is also the most

	Logger hclog.Logger // nil discards
}

// Bounds of a TalkConfig.
const (
	maxTalkInFlight = maxPeers
	maxTalkQueue    = 16_384
)

func (c *TalkConfig) setDefaults() {
	orDefault(&c.Deadline, 300*time.Millisecond)
	orDefault(&c.MaxInFlight, 1024)
	orDefault(&c.MaxPerPeer, 32)
	orDefault(&c.MaxQueue, 4096)
	orDefault(&c.MaxResponse, codec.MaxTalkResponse)
	c.MaxInFlight = min(max(c.MaxInFlight, 1), maxTalkInFlight)
	c.MaxQueue = min(max(c.MaxQueue, 0), maxTalkQueue)
	c.MaxResponse = min(max(c.MaxResponse, 0), codec.MaxTalkResponse)
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
}

func orDefault[T comparable](v *T, d T) {
	if *v == *new(T) {
		*v = d
	}
}

// Talk is the stream of requests to one incarnation of a talk plugin. It is a core.AsyncTalkHandler.
type Talk struct {
	// set before the goroutines start, then read-only
	cfg       TalkConfig
	protocols map[string]uint32
	stream    grpc.ClientStream
	ctx       context.Context // of the stream
	cancel    context.CancelFunc
	begun     time.Time // what times are measured from
	wake      chan struct{}
	ended     sync.WaitGroup
	done      chan struct{} // closed when the stream is over

	mu        sync.Mutex // a leaf; the rest is under it
	state     talkState
	err       error // why the stream is over
	drained   chan struct{}
	slots     slots
	peers     peerTable
	out       outbox
	breaker   breaker
	timer     *time.Timer
	armed     bool
	strays    int // responses to nothing since the last one to something
	stats     TalkStats
	complaint complaint
}

// talkState is how far a stream is on its way.
type talkState uint8

const (
	talkServing  talkState = iota
	talkDraining           // it takes no new request
	talkClosed
)

// OpenTalk opens Talk.Serve on a connection to a configured plugin, until ctx ends and for 5 s at most. The stream ends with
// Close, or when the plugin or the connection fails; Done and Err tell.
func OpenTalk(ctx context.Context, conn grpc.ClientConnInterface, cfg TalkConfig) (*Talk, error) {
	cfg.setDefaults()
	stream, ctx, cancel, err := openStream(ctx, conn, "open the talk stream", &pluginpb.Talk_ServiceDesc, pluginpb.Talk_Serve_FullMethodName)
	if err != nil {
		return nil, err
	}
	t := &Talk{
		cfg: cfg, protocols: make(map[string]uint32), stream: stream, ctx: ctx, cancel: cancel, begun: time.Now(),
		wake: make(chan struct{}, 1), done: make(chan struct{}), peers: newPeerTable(),
	}
	for i, p := range cfg.Protocols {
		t.protocols[p] = uint32(i)
	}
	t.slots.init()
	t.out.idle = true
	t.timer = time.AfterFunc(time.Hour, t.expire)
	t.timer.Stop()
	t.ended.Go(t.write)
	t.ended.Go(t.read)
	return t, nil
}

// now is the time since the stream was opened.
func (t *Talk) now() time.Duration { return time.Since(t.begun) }

// StartTalk takes a request to the plugin, or answers it empty at once when a limit is reached. It neither blocks nor
// allocates, but for a request that has to wait for its turn.
func (t *Talk) StartTalk(r core.TalkRequest, p *core.PendingTalk) (response []byte, done bool) {
	now := t.now()
	t.mu.Lock()
	shed := t.start(now, r, p)
	if shed != admitted {
		t.stats.Shed[shed]++
	}
	wake := t.out.claim()
	t.mu.Unlock()
	if wake {
		t.wakeWriter()
	}
	return nil, shed != admitted
}

func (t *Talk) start(now time.Duration, r core.TalkRequest, p *core.PendingTalk) Shed {
	t.stats.Requests++
	switch t.state {
	case talkDraining:
		return ShedDraining
	case talkClosed:
		return ShedDown
	}
	protocol, ok := t.protocols[r.Protocol]
	if !ok {
		return ShedDown
	}
	if !t.breaker.admits(now, t.slots.sent < t.cfg.MaxInFlight) {
		return ShedBreaker
	}
	peer := t.peers.of(peerKey{r.ID, r.Addr})
	if peer.open >= t.cfg.MaxPerPeer {
		return ShedPerPeer
	}
	direct := t.slots.sent < t.cfg.MaxInFlight && t.slots.queue.empty()
	if !direct && t.slots.queued >= t.cfg.MaxQueue {
		return ShedQueue
	}
	deadline := r.Deadline.Sub(t.begun)
	ours := now+t.cfg.Deadline < deadline
	if ours {
		deadline = now + t.cfg.Deadline
	}
	if deadline <= now {
		return ShedLate
	}
	i := t.slots.take()
	s := &t.slots.all[i]
	s.pending, s.peer, s.node, s.protocol, s.deadline, s.ours = p, peer, r.Node, protocol, deadline, ours
	t.peers.opened(peer)
	t.slots.live.push(t.slots.all, i)
	t.slots.alive++
	if direct {
		t.send(now, i, r.Payload)
		t.breaker.sent(now, s.id(i), t.slots.sent)
	} else {
		s.state, s.payload = slotQueued, bytes.Clone(r.Payload)
		t.slots.queue.push(t.slots.all, i)
		t.slots.queued++
	}
	t.arm(now, deadline)
	return admitted
}

// send puts a request into the next message.
func (t *Talk) send(now time.Duration, i int32, payload []byte) {
	s := &t.slots.all[i]
	s.state = slotSent
	t.slots.sent++
	if t.peers.sends(s.peer, s.node) {
		t.out.introduce(s.peer, s.node)
	}
	s.node, s.payload = nil, nil
	s.message = t.out.request(s.id(i), uint32(s.peer.number), s.protocol, payload, s.deadline-now)
	t.stats.Sent++
}

// sendQueued sends what waits while there are credits.
func (t *Talk) sendQueued(now time.Duration) {
	for t.slots.sent < t.cfg.MaxInFlight && !t.slots.queue.empty() {
		i := t.slots.queue.head
		t.slots.unqueue(i)
		t.send(now, i, t.slots.all[i].payload)
	}
}

// arm makes expire run at a deadline unless it will run earlier anyway.
func (t *Talk) arm(now, deadline time.Duration) {
	if !t.armed {
		t.armed = true
		t.timer.Reset(deadline - now)
	}
}

// expire gives up the requests whose deadline has passed: the peer gets its empty answer from here, unless core's own
// deadline is due too, and the plugin is told.
func (t *Talk) expire() {
	var late []core.TalkAnswer
	now := t.now()
	t.mu.Lock()
	t.armed = false
	for i := t.slots.live.head; i >= 0 && t.slots.all[i].deadline <= now; i = t.slots.live.head {
		s := &t.slots.all[i]
		t.stats.Late++
		if s.ours {
			late = append(late, core.TalkAnswer{To: s.pending})
		}
		t.breaker.late(now, s.id(i))
		t.abandon(i)
	}
	if t.breaker.stuck(now, t.slots.sent >= t.cfg.MaxInFlight, 3*t.cfg.Deadline) {
		t.stats.Tripped++
		for !t.slots.queue.empty() {
			i := t.slots.queue.head
			late = append(late, core.TalkAnswer{To: t.slots.all[i].pending})
			t.stats.Shed[ShedBreaker]++
			t.abandon(i)
		}
	}
	if i := t.slots.live.head; i >= 0 {
		t.arm(now, t.slots.all[i].deadline)
	}
	t.checkDrained()
	wake := t.out.claim()
	t.mu.Unlock()
	if wake {
		t.wakeWriter()
	}
	t.answer(late)
}

// abandon ends a request without a response. One that is on the stream keeps its place until the plugin answers.
func (t *Talk) abandon(i int32) {
	s := &t.slots.all[i]
	t.slots.live.remove(t.slots.all, i)
	t.slots.alive--
	s.pending = nil
	if s.state == slotQueued {
		t.slots.unqueue(i)
		t.release(i, false)
		return
	}
	s.state = slotGivenUp
	t.out.cancel(s.id(i))
}

// release frees a slot.
func (t *Talk) release(i int32, sent bool) {
	t.peers.closed(t.slots.all[i].peer, sent)
	t.slots.release(i)
}

// answer takes answers to core, so many at a time that it is not held up, and forgets them.
func (t *Talk) answer(answers []core.TalkAnswer) {
	for rest := answers; len(rest) > 0; {
		n := min(len(rest), chunk)
		t.cfg.Answer(rest[:n]...)
		rest = rest[n:]
	}
	clear(answers)
}

// chunk is how many items are handled under one lock.
const chunk = 256

// Drain takes no more requests and waits until those under way have been answered or given up, or until ctx ends.
func (t *Talk) Drain(ctx context.Context) error {
	t.mu.Lock()
	if t.state == talkServing {
		t.state = talkDraining
		t.drained = make(chan struct{})
		t.checkDrained()
	}
	drained := t.drained
	t.mu.Unlock()
	if drained == nil {
		return nil // it was closed without
	}
	select {
	case <-drained:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("link: drain: %w", ctx.Err())
	}
}

func (t *Talk) checkDrained() {
	if t.drained != nil && t.slots.alive == 0 {
		select {
		case <-t.drained:
		default:
			close(t.drained)
		}
	}
}

// Close ends the stream, answers empty what is open, and waits for the goroutines. It must not be called by core's
// goroutines in a turn.
func (t *Talk) Close() {
	t.fail(ErrClosed)
	t.ended.Wait()
}

// Done is closed when the stream is over, whatever ended it.
func (t *Talk) Done() <-chan struct{} { return t.done }

// Err is why the stream is over: ErrClosed after Close, else an ErrFailed or ErrRefused. It is nil while it lasts.
func (t *Talk) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// fail ends the stream; all that is open is answered empty at once.
func (t *Talk) fail(err error) {
	var open []core.TalkAnswer
	t.mu.Lock()
	if t.state == talkClosed {
		t.mu.Unlock()
		return
	}
	t.state, t.err = talkClosed, err
	if !errors.Is(err, ErrClosed) {
		t.stats.Broken += uint64(t.slots.alive)
	}
	for i := t.slots.live.head; i >= 0; i = t.slots.live.head {
		open = append(open, core.TalkAnswer{To: t.slots.all[i].pending})
		t.slots.live.remove(t.slots.all, i)
	}
	t.slots.alive, t.slots.sent, t.slots.queued = 0, 0, 0
	t.slots.queue = list{head: -1, tail: -1}
	t.slots.all, t.slots.free, t.peers = nil, nil, newPeerTable()
	t.out.drop()
	t.timer.Stop()
	t.checkDrained()
	t.mu.Unlock()
	t.cancel()
	close(t.done)
	t.answer(open)
}

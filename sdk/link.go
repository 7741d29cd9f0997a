package sdk

import (
	"context"
	"errors"
	"io"
	"math"
	"sync"
	"time"

	"github.com/discv5/host/sdk/pluginpb"
	"google.golang.org/grpc"
)

// Bounds of the link.
const (
	maxHostCalls = 1024            // open, if the host does not say
	maxSends     = 4096            // TalkSends that wait to go out
	maxLinkBatch = 1 << 20         // bytes of a message, about
	maxCallTime  = 5 * time.Minute // that a call may ask for
	callOverhead = 64              // bytes of a call beside what it carries, about
)

// link carries host calls and their replies. It exists before the host opens its stream: what is called meanwhile waits.
type link struct {
	mu      sync.Mutex
	begun   bool // the stream is open, or was
	over    error
	maxOpen int
	lastID  uint64
	calls   map[uint64]*linkCall // without reply yet; those that nobody waits for any more too
	out     []*pluginpb.HostCall
	sends   int // TalkSends among out
	cancels []uint64
	watch   *watch // nil: there is none

	opened chan struct{} // closed when begun
	pokes  chan struct{} // something waits to go out; room for one
}

type linkCall struct {
	reply chan *pluginpb.HostReply // room for one; closed without: the link is over
}

type linkStream = grpc.BidiStreamingServer[pluginpb.HostReplies, pluginpb.HostCalls]

func newLink() *link {
	return &link{maxOpen: maxHostCalls, calls: make(map[uint64]*linkCall), opened: make(chan struct{}), pokes: make(chan struct{}, 1)}
}

func (l *link) configure(maxOpen int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if maxOpen > 0 {
		l.maxOpen = maxOpen
	}
}

// begin tells whether this is the first stream.
func (l *link) begin() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.begun || l.over != nil {
		return false
	}
	l.begun = true
	close(l.opened)
	return true
}

// run serves the stream until it ends, and calls over then. It returns nil if the host ended it.
func (l *link) run(stream linkStream, over func()) error {
	ctx, cancel := context.WithCancel(stream.Context())
	var writer sync.WaitGroup
	writer.Go(func() { l.write(ctx, stream) })
	err := l.read(stream)
	l.close()
	over()
	cancel()
	writer.Wait()
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func (l *link) read(stream linkStream) error {
	for {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		l.mu.Lock()
		for _, r := range m.GetReplies() {
			if c := l.calls[r.GetId()]; c != nil {
				delete(l.calls, r.GetId())
				c.reply <- r
			}
		}
		w := l.watch
		l.mu.Unlock()
		if w != nil {
			for _, e := range m.GetEvents() {
				w.deliver(e)
			}
		}
	}
}

// write sends what waits, all of it at a time.
func (l *link) write(ctx context.Context, stream linkStream) {
	for {
		l.mu.Lock()
		calls, cancels := l.out, l.cancels
		l.out, l.cancels, l.sends = nil, nil, 0
		l.mu.Unlock()
		for len(calls) > 0 || len(cancels) > 0 {
			n := fits(calls)
			if stream.Send(&pluginpb.HostCalls{Calls: calls[:n], Cancelled: cancels}) != nil {
				return // the reader sees it too
			}
			calls, cancels = calls[n:], nil
		}
		select {
		case <-l.pokes:
		case <-ctx.Done():
			return
		}
	}
}

// fits returns how many of the calls go in a message; at least one, if there is one.
func fits(calls []*pluginpb.HostCall) int {
	size := 0
	for i, c := range calls {
		size += callOverhead + len(c.GetTalkSend().GetPayload()) + len(c.GetTalk().GetPayload()) + len(c.GetTalk().GetTarget().GetRecord())
		for _, e := range c.GetKvPut().GetEntries() {
			size += len(e.GetKey()) + len(e.GetValue())
		}
		if size > maxLinkBatch && i > 0 {
			return i
		}
	}
	return len(calls)
}

// close ends all calls and the watch. It may be called again.
func (l *link) close() {
	l.mu.Lock()
	l.over = ErrUnavailable
	calls, w := l.calls, l.watch
	l.calls, l.watch, l.out, l.cancels, l.sends = nil, nil, nil, nil, 0
	l.mu.Unlock()
	for _, c := range calls {
		close(c.reply)
	}
	if w != nil {
		w.close()
	}
}

func (l *link) poke() {
	select {
	case l.pokes <- struct{}{}:
	default:
	}
}

// call makes a call and waits for its reply, or for the end of ctx.
func (l *link) call(ctx context.Context, name string, c *pluginpb.HostCall) (*pluginpb.HostReply, error) {
	if err := ctx.Err(); err != nil {
		return nil, contextError(name, err)
	}
	if deadline, ok := ctx.Deadline(); ok {
		left := min(max(time.Until(deadline), time.Millisecond), maxCallTime)
		c.TimeoutMs = uint32(math.Ceil(float64(left) / float64(time.Millisecond)))
	}
	waiting := &linkCall{reply: make(chan *pluginpb.HostReply, 1)}
	l.mu.Lock()
	switch {
	case l.over != nil:
		l.mu.Unlock()
		return nil, &CallError{Call: name, Reason: ErrUnavailable}
	case len(l.calls) >= l.maxOpen:
		l.mu.Unlock()
		return nil, &CallError{Call: name, Reason: ErrExhausted}
	}
	l.lastID++
	c.Id = l.lastID
	l.calls[c.Id] = waiting
	l.out = append(l.out, c)
	l.mu.Unlock()
	l.poke()

	select {
	case r, ok := <-waiting.reply:
		if !ok {
			return nil, &CallError{Call: name, Reason: ErrUnavailable, Message: "the host is gone"}
		}
		if e := r.GetError(); e != nil {
			return nil, &CallError{Call: name, Reason: callReason(e.GetCode()), Message: e.GetMessage()}
		}
		return r, nil
	case <-ctx.Done():
		l.cancel(c.Id)
		return nil, contextError(name, ctx.Err())
	}
}

// cancel tells the host that nobody waits for a reply any more. The call stays open until it comes, as the host counts it.
func (l *link) cancel(id uint64) {
	l.mu.Lock()
	_, open := l.calls[id]
	if open {
		l.cancels = append(l.cancels, id)
	}
	l.mu.Unlock()
	if open {
		l.poke()
	}
}

// send makes a call that has no reply.
func (l *link) send(name string, c *pluginpb.HostCall) error {
	l.mu.Lock()
	switch {
	case l.over != nil:
		l.mu.Unlock()
		return &CallError{Call: name, Reason: ErrUnavailable}
	case l.sends >= maxSends:
		l.mu.Unlock()
		return &CallError{Call: name, Reason: ErrExhausted}
	}
	l.sends++
	l.out = append(l.out, c)
	l.mu.Unlock()
	l.poke()
	return nil
}

// contextError is a call that its context ended: ErrTimeout too if that was its deadline.
func contextError(name string, err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		err = errDeadline
	}
	return &CallError{Call: name, Reason: err}
}

var errDeadline error = deadlineError{}

type deadlineError struct{}

func (deadlineError) Error() string { return ErrTimeout.Error() }
func (deadlineError) Is(target error) bool {
	return target == ErrTimeout || target == context.DeadlineExceeded
}

package sdk

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/discv5/host/sdk/pluginpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// How a stream works.
const (
	maxParked    = 64                     // workers that wait for work; more of them end
	jobChunk     = 16                     // requests allocated together
	flushCount   = 64                     // responses that go out although there are requests to begin with
	flushAfter   = 100 * time.Microsecond // and how long one waits for that
	maxTalkBatch = 1 << 20                // bytes of payload in one message
	fewCancels   = 8                      // that are looked up without a set
)

// talkJob is a request on its way through a worker.
type talkJob struct {
	TalkRequest
	ctx        requestContext
	id         uint64
	due        time.Duration // its deadline, since the stream started
	next, prev *talkJob      // in the list of open requests
	cancelled  bool
	fault      string // set: answered with this error, no handler runs
}

// talkStream is one stream: a queue of requests, workers that take them, responses that wait to go out.
//
// A worker does whatever there is to do: it begins a request, or sends all responses that wait. It looks for another one's help before it
// does something that may block, and one helper at a time is on its way: requests that need no time are all done by one worker without
// a switch between goroutines, and their responses leave in one message; each request that blocks has its worker.
type talkStream struct {
	// set at the start, then read-only
	server  *talkServer
	ctx     context.Context // of the plugin and the stream
	stream  grpc.BidiStreamingServer[pluginpb.TalkRequests, pluginpb.TalkResponses]
	started time.Time

	// owned by the reader
	peers []talkPeer
	chunk []talkJob
	bytes []byte // room for payloads

	mu      sync.Mutex
	work    sync.Cond // of parked workers
	queue   []*talkJob
	head    int     // of the queue
	open    talkJob // head of the list of requests without response: queued and running
	opened  int     // how many these are
	workers int
	parked  int
	waking  bool // a worker is on its way
	out     []talkAnswer
	other   []talkAnswer  // room for out while it is sent
	waits   time.Duration // since when the first of out waits
	sending bool
	closed  bool
	idle    chan struct{} // not nil: closed when nothing is open and all is sent
	sent    chan struct{} // not nil: closed when nobody is sending
}

func newTalkStream(s *talkServer, ctx context.Context, stream grpc.BidiStreamingServer[pluginpb.TalkRequests, pluginpb.TalkResponses]) *talkStream {
	t := &talkStream{server: s, ctx: ctx, stream: stream, started: time.Now()}
	t.work.L = &t.mu
	t.open.next, t.open.prev = &t.open, &t.open
	return t
}

// accept queues requests.
func (t *talkStream) accept(requests []talkRequestIn, now time.Time) error {
	if len(requests) == 0 {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.out) > 2*maxInFlight {
		return status.Error(codes.ResourceExhausted, "the host does not read the responses")
	}
	if t.head > maxInFlight {
		n := copy(t.queue, t.queue[t.head:])
		clear(t.queue[n:])
		t.queue = t.queue[:n]
		t.head = 0
	}
	for i := range requests {
		r := &requests[i]
		if len(t.chunk) == 0 {
			n := min(len(requests)-i, jobChunk)
			size := 0
			for _, r := range requests[i : i+n] {
				size += len(r.payload)
			}
			t.chunk, t.bytes = make([]talkJob, n), make([]byte, size)
		}
		j := &t.chunk[0]
		t.chunk = t.chunk[1:]
		j.id = r.id
		n := copy(t.bytes, r.payload)
		j.Payload, t.bytes = t.bytes[:n:n], t.bytes[n:]
		j.Deadline = now.Add(maxTalkTimeout)
		if us := r.timeoutMicro; us > 0 {
			j.Deadline = now.Add(min(time.Duration(us)*time.Microsecond, maxTalkTimeout))
		}
		j.due = j.Deadline.Sub(t.started)
		j.ctx.parent, j.ctx.deadline = t.ctx, j.Deadline
		number, protocol := int(r.peer), int(r.protocol)
		switch {
		case t.opened >= t.server.maxInFlight:
			j.fault = fmt.Sprintf("more than %d requests in flight", t.server.maxInFlight)
		case number >= len(t.peers) || !t.peers[number].known:
			j.fault = fmt.Sprintf("peer %d was not introduced", number)
		case protocol >= len(t.server.protocols):
			j.fault = fmt.Sprintf("there is no protocol %d", protocol)
		default:
			p := &t.peers[number]
			j.ID, j.Addr, j.Node, j.Protocol = p.id, p.addr, p.node, t.server.protocols[protocol]
		}
		if j.fault != "" {
			t.answer(j.id, nil, j.fault, time.Since(t.started))
			continue
		}
		j.prev, j.next = t.open.prev, &t.open
		j.prev.next, t.open.prev = j, j
		t.opened++
		t.queue = append(t.queue, j)
	}
	t.help()
	return nil
}

// cancel ends requests whose response nobody waits for. Their handlers may go on; a response is owed all the same.
func (t *talkStream) cancel(ids []uint64) {
	var set map[uint64]bool
	if len(ids) > fewCancels {
		set = make(map[uint64]bool, len(ids))
		for _, id := range ids {
			set[id] = true
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for j := t.open.next; j != &t.open; j = j.next {
		if set[j.id] || set == nil && slices.Contains(ids, j.id) {
			j.cancelled = true
			j.ctx.end()
		}
	}
}

// help gets a worker for what is there to do, unless one is on its way. t.mu is held.
func (t *talkStream) help() {
	if t.waking || t.head == len(t.queue) && (len(t.out) == 0 || t.sending || t.closed) {
		return
	}
	switch {
	case t.parked > 0:
		t.waking = true
		t.parked--
		t.work.Signal()
	case t.workers <= t.server.maxInFlight: // one more than can be busy with requests: somebody always sends
		t.waking = true
		t.workers++
		go t.worker()
	}
}

// worker works until the stream is closed or enough others wait for work.
func (t *talkStream) worker() {
	t.mu.Lock()
	t.waking = false
	defer func() { // also if a handler ends this goroutine
		t.workers--
		t.help()
		t.mu.Unlock()
	}()
	now := time.Since(t.started)
	for {
		queued := t.head < len(t.queue)
		switch {
		case len(t.out) > 0 && !t.sending && !t.closed && (!queued || len(t.out) >= flushCount || now-t.waits > flushAfter):
			t.flush()
		case queued:
			now = t.run(now)
		case t.closed || t.parked >= maxParked:
			return
		default:
			t.parked++
			t.work.Wait()
			t.waking = false
			now = time.Since(t.started)
		}
	}
}

// run does the first request of the queue and returns when that was. t.mu is held, but not meanwhile.
func (t *talkStream) run(now time.Duration) (then time.Duration) {
	j := t.queue[t.head]
	t.queue[t.head] = nil
	if t.head++; t.head == len(t.queue) {
		t.queue, t.head = t.queue[:0], 0
	}
	skip := ""
	switch {
	case j.cancelled:
		skip = "cancelled"
	case now >= j.due:
		skip = "too late"
	}
	t.help()
	t.mu.Unlock()
	var payload []byte
	var fault string
	defer func() {
		j.ctx.end()
		then = time.Since(t.started)
		t.mu.Lock()
		j.prev.next, j.next.prev = j.next, j.prev
		t.opened--
		t.answer(j.id, payload, fault, then)
	}()
	if fault = skip; fault == "" {
		fault = "the handler ended its goroutine" // unless it returns
		payload, fault = t.handle(j)
	}
	return then
}

// handle calls the handler.
func (t *talkStream) handle(j *talkJob) (payload []byte, fault string) {
	defer func() {
		if r := recover(); r != nil {
			t.server.complain("talk handler panicked", "proto", j.Protocol, "panic", r, "stack", string(debug.Stack()))
			payload, fault = nil, clip(fmt.Sprintf("panic: %v", r), maxTalkError)
		}
	}()
	payload, err := t.server.handler.ServeTalk(&j.ctx, &j.TalkRequest)
	switch {
	case err != nil:
		return nil, clip(err.Error(), maxTalkError)
	case len(payload) > t.server.maxResponse:
		fault = fmt.Sprintf("response of %d bytes, at most %d", len(payload), t.server.maxResponse)
		t.server.complain("talk response is too large", "proto", j.Protocol, "size", len(payload), "limit", t.server.maxResponse)
		return nil, fault
	}
	return payload, ""
}

// answer puts a response where it waits to go out. t.mu is held.
func (t *talkStream) answer(id uint64, payload []byte, fault string, now time.Duration) {
	if len(t.out) == 0 {
		t.waits = now
	}
	t.out = append(t.out, talkAnswer{id, payload, fault})
}

// flush sends the responses that wait. t.mu is held, but not meanwhile.
func (t *talkStream) flush() {
	batch := t.out
	t.out, t.other, t.sending = t.other[:0], nil, true
	t.help()
	t.mu.Unlock()
	sent := batch
	for len(batch) > 0 {
		n := fitsTalk(batch)
		if t.stream.SendMsg(encodeTalk(batch[:n])) != nil {
			break // the reader sees it too, and closes
		}
		batch = batch[n:]
	}
	t.mu.Lock()
	t.sending = false
	clear(sent)
	t.other = sent
	if t.sent != nil {
		close(t.sent)
		t.sent = nil
	}
	t.checkIdle()
}

func fitsTalk(batch []talkAnswer) int {
	size := 0
	for i, r := range batch {
		if size += len(r.payload) + len(r.fault); size > maxTalkBatch && i > 0 {
			return i
		}
	}
	return len(batch)
}

// checkIdle tells waitIdle. t.mu is held.
func (t *talkStream) checkIdle() {
	if t.idle != nil && t.isIdle() {
		close(t.idle)
		t.idle = nil
	}
}

func (t *talkStream) isIdle() bool { return t.closed || t.opened == 0 && len(t.out) == 0 && !t.sending }

// waitIdle waits until nothing is open and all is sent, or for the end of ctx. One goroutine may wait.
func (t *talkStream) waitIdle(ctx context.Context) {
	t.mu.Lock()
	if t.isIdle() {
		t.mu.Unlock()
		return
	}
	idle := make(chan struct{})
	t.idle = idle
	t.mu.Unlock()
	select {
	case <-idle:
	case <-ctx.Done():
	}
}

// close drops what waits and ends the workers; those in a handler when it returns. Nobody sends on the stream after it.
func (t *talkStream) close() {
	t.mu.Lock()
	t.closed = true
	for j := t.open.next; j != &t.open; j = j.next {
		j.cancelled = true
	}
	t.checkIdle()
	t.parked = 0
	t.work.Broadcast()
	var sent chan struct{}
	if t.sending {
		sent = make(chan struct{})
		t.sent = sent
	}
	t.mu.Unlock()
	if sent != nil {
		<-sent // at once: the stream has ended
	}
}

package link

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/discv5/host/core"
	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"
)

// filterPatience is how long Decide waits for an answer after its deadline, so that it still counts.
const filterPatience = 5 * time.Second

// Filter is the stream of batches to one incarnation of a filter plugin. It is a core.Filter; one batch is under way at a
// time.
type Filter struct {
	stream  grpc.ClientStream
	ctx     context.Context
	cancel  context.CancelFunc
	ended   sync.WaitGroup
	done    chan struct{}
	answers chan *incoming
	reasons reasons // of the caller of Decide

	turn chan struct{} // holds a token while nobody is in Decide
	owed bool          // under turn: the batch before has no answer yet
	last uint64        // under turn: id of the batch before

	mu    sync.Mutex // a leaf
	err   error
	stats FilterStats
}

// FilterStats are the counters of a Filter.
type FilterStats struct {
	Batches  uint64 // sent
	Nodes    uint64 // in them
	Decided  uint64 // nodes that the plugin decided about
	Late     uint64 // batches answered behind their deadline; their verdicts count
	Wasted   uint64 // batches answered when nobody waited any more
	Failures uint64 // batches that the plugin could not decide about, or answered wrongly
}

// OpenFilter opens Filter.Decide on a connection to a configured plugin, until ctx ends and for 5 s at most. The stream ends
// with Close, or when the plugin or the connection fails.
func OpenFilter(ctx context.Context, conn grpc.ClientConnInterface) (*Filter, error) {
	stream, ctx, cancel, err := openStream(ctx, conn, "open the filter stream", &pluginpb.Filter_ServiceDesc, pluginpb.Filter_Decide_FullMethodName)
	if err != nil {
		return nil, err
	}
	f := &Filter{
		stream: stream, ctx: ctx, cancel: cancel,
		done: make(chan struct{}), answers: make(chan *incoming), turn: make(chan struct{}, 1), reasons: make(reasons),
	}
	f.turn <- struct{}{}
	f.ended.Go(f.read)
	return f, nil
}

func (f *Filter) read() {
	for {
		m := new(incoming)
		err := f.stream.RecvMsg(m)
		if err == nil {
			select {
			case f.answers <- m:
				continue
			case <-f.ctx.Done():
				m.free()
				err = f.ctx.Err()
			}
		}
		f.fail(controlError("filter stream", err))
		return
	}
}

// Decide asks the plugin about nodes. When it is late, its answer is waited for beyond the deadline of ctx, and still counts;
// an end of ctx for another reason ends the wait at once. Errors: ErrBusy when the plugin still owes an answer from before, ErrInvalid for
// an answer that makes no sense, ErrFailed when it could not decide, ErrClosed.
func (f *Filter) Decide(ctx context.Context, stage core.Stage, nodes []*enode.Node, out []core.Verdict) error {
	if len(nodes) > core.MaxFilterBatch || len(out) < len(nodes) {
		return fmt.Errorf("link: a batch of %d nodes with room for %d verdicts", len(nodes), len(out))
	}
	select {
	case <-f.turn:
		defer func() { f.turn <- struct{}{} }()
	case <-ctx.Done():
		return ErrBusy
	case <-f.done:
		return f.Err()
	}
	if f.owed {
		if _, err := f.await(ctx, 0, nil, 0); err != nil {
			return err
		}
		f.count(func(s *FilterStats) { s.Wasted++ })
	}
	if err := f.ask(ctx, stage, nodes); err != nil {
		return err
	}
	decided, err := f.await(ctx, filterPatience, out[:len(nodes)], len(nodes))
	f.count(func(s *FilterStats) {
		switch {
		case err == nil:
			s.Decided += uint64(decided)
		case !f.owed:
			s.Failures++
		}
		if !f.owed && ctx.Err() != nil {
			s.Late++
		}
	})
	return err
}

// ask sends a batch. It may block only until the plugin reads: nothing else is under way.
func (f *Filter) ask(ctx context.Context, stage core.Stage, nodes []*enode.Node) error {
	timeout := time.Duration(math.MaxUint32) * time.Millisecond
	if deadline, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(deadline))
	}
	f.last++
	f.owed = true
	f.count(func(s *FilterStats) { s.Batches++; s.Nodes += uint64(len(nodes)) })
	data := buffers.Get(bufferSize)
	*data = appendFilterBatch(*data, f.last, stage, nodes, timeout)
	if err := f.stream.SendMsg(&outgoing{data}); err != nil {
		select { // the reader learns why
		case <-f.done:
			return f.Err()
		case <-ctx.Done():
			return &LinkError{Op: "ask the filter", Err: err}
		}
	}
	return nil
}

// await takes the answer to the last batch. When the deadline of ctx passes it goes on for the patience.
func (f *Filter) await(ctx context.Context, patience time.Duration, out []core.Verdict, want int) (decided int, err error) {
	over := ctx.Done()
	var late <-chan time.Time
	for {
		select {
		case m := <-f.answers:
			decided, err = f.take(m.bytes(), out, want)
			m.free()
			return decided, err
		case <-over:
			if err := ctx.Err(); !errors.Is(err, context.DeadlineExceeded) {
				return 0, err
			}
			timer := time.NewTimer(patience)
			defer timer.Stop()
			over, late = nil, timer.C
		case <-late:
			return 0, ErrBusy
		case <-f.done:
			return 0, f.Err()
		}
	}
}

// take reads an answer. One to another batch than the last breaks the stream.
func (f *Filter) take(b []byte, out []core.Verdict, want int) (decided int, err error) {
	a, ok := parseFilterVerdicts(b, f.reasons, out)
	switch {
	case !ok:
		err = &LinkError{Op: "filter stream", Err: fmt.Errorf("%w: %w", ErrInvalid, errGarbage)}
		f.fail(err)
		return 0, err
	case a.id != f.last:
		err = &LinkError{Op: "filter stream", Err: fmt.Errorf("%w: it answers batch %d, asked was %d", ErrInvalid, a.id, f.last)}
		f.fail(err)
		return 0, err
	}
	f.owed = false
	switch {
	case out == nil:
		return 0, nil
	case a.failure != "":
		clear(out)
		return 0, &LinkError{Op: "filter", Message: a.failure}
	case a.count != want:
		clear(out)
		return 0, &LinkError{Op: "filter", Err: fmt.Errorf("%w: %d verdicts about %d nodes", ErrInvalid, a.count, want)}
	}
	return want, nil
}

func (f *Filter) count(change func(*FilterStats)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.stats)
}

// Stats returns the counters.
func (f *Filter) Stats() FilterStats {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stats
}

// Close ends the stream and waits for its goroutine. A Decide under way returns ErrClosed.
func (f *Filter) Close() {
	f.fail(ErrClosed)
	f.ended.Wait()
}

// Done is closed when the stream is over, whatever ended it.
func (f *Filter) Done() <-chan struct{} { return f.done }

// Err is why the stream is over; nil while it lasts.
func (f *Filter) Err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

func (f *Filter) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
		f.cancel()
		close(f.done)
	}
}

// appendFilterBatch appends a FilterBatch.
func appendFilterBatch(b []byte, id uint64, stage core.Stage, nodes []*enode.Node, timeout time.Duration) []byte {
	b = appendVarintField(b, key1Varint, id)
	b = appendVarintField(b, key2Varint, uint64(stage)+1)
	var w recordBuffer
	for _, node := range nodes {
		id := node.ID()
		w.b = w.b[:0]
		_ = node.Record().EncodeRLP(&w) // an unsigned record stays empty
		b = protowire.AppendVarint(append(b, key3Bytes), uint64(bytesField(len(id))+bytesField(len(w.b))))
		b = appendBytesField(b, key1Bytes, id[:])
		b = appendBytesField(b, key2Bytes, w.b)
	}
	return appendVarintField(b, key4Varint, uint64(max(timeout.Milliseconds(), 1)))
}

// filterAnswer is a FilterVerdicts message but for the verdicts themselves.
type filterAnswer struct {
	id      uint64
	count   int
	failure string
}

// parseFilterVerdicts reads a FilterVerdicts message, and puts the verdicts into out as far as there is room. It reports false for garbage.
func parseFilterVerdicts(b []byte, known reasons, out []core.Verdict) (a filterAnswer, ok bool) {
	ok = fields(b, func(number protowire.Number, v uint64, data []byte) bool {
		switch {
		case number == 1 && data == nil:
			a.id = v
		case number == 2 && data != nil:
			verdict, ok := parseVerdict(data, known)
			if !ok {
				return false
			}
			if a.count < len(out) {
				out[a.count] = verdict
			}
			a.count++
		case number == 3 && len(data) > 0:
			a.failure = clean(string(data), maxText)
			if a.failure == "" {
				a.failure = "unreadable"
			}
		}
		return true
	})
	return a, ok
}

// parseVerdict reads a Verdict. Decisions are numbered as core does; core checks the rest.
func parseVerdict(b []byte, known reasons) (verdict core.Verdict, ok bool) {
	ok = fields(b, func(number protowire.Number, v uint64, data []byte) bool {
		switch {
		case number == 1 && data == nil:
			verdict.Decision = core.Decision(min(v, math.MaxUint8))
		case number == 2:
			verdict.Reason = known.text(data)
		case number == 3:
			verdict.TTL = time.Duration(min(v, math.MaxUint32)) * time.Second
		}
		return true
	})
	return verdict, ok
}

// reasons keeps the text of reasons that come again and again.
type reasons map[string]string

// Bounds of reasons: what is longer is no reason, and replaced by core.
const (
	maxReasonBytes = 33
	maxReasons     = 256
)

func (r reasons) text(b []byte) string {
	if len(b) > maxReasonBytes {
		b = b[:maxReasonBytes]
	}
	if s, ok := r[string(b)]; ok {
		return s
	}
	s := string(slices.Clone(b))
	if len(r) < maxReasons {
		r[s] = s
	}
	return s
}

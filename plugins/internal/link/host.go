package link

import (
	"context"
	"sync"
	"time"

	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// HostConfig is what a plugin may ask of its host.
type HostConfig struct {
	Name     string   // of the plugin's block
	Grants   []string // the calls that it may make
	Services Services
	Space    Space // of the plugin; nil: it has none
	// MaxCalls bounds the calls that wait for their end; 256. Configure has told the plugin.
	MaxCalls int
	// Rate is how much work the plugin may cause in a second, in units of a talk call; 10,000. One that exceeds it
	// is read more slowly. See costs.
	Rate   int
	Logger hclog.Logger // nil discards
}

// Bounds of calls.
const (
	defaultCallTimeout = 10 * time.Second
	maxCallTimeout     = 5 * time.Minute
	// callBatch is how many calls are handled in one go: talk calls among them cost one turn of the node.
	callBatch = 64
)

// Host serves the calls of one incarnation of a plugin. It reads no further while the plugin does not take its replies, or
// causes more work than it may.
type Host struct {
	// set before the goroutines start, then read-only
	cfg    HostConfig
	grants map[string]bool
	stream grpc.ClientStream
	ctx    context.Context // of the stream, and of all calls
	cancel context.CancelFunc
	begun  time.Time
	ended  sync.WaitGroup // reader and writer
	calls  sync.WaitGroup // calls that wait for the network
	done   chan struct{}
	kvTurn chan struct{} // holds a token while no call is at the space

	conditions conditions

	// owned by the reader
	records records
	pace    pace
	talks   talkBatch

	mu      sync.Mutex // a leaf
	room    *sync.Cond // replies were sent, or the stream is over
	pending *sync.Cond // there are replies, or the stream is over
	err     error
	open    map[uint64]*call
	out     replies
	watch   *watch
	stats   hostStats
}

// call is a call that waits for its end.
type call struct {
	kind      callKind
	cancel    context.CancelFunc // nil: it has to be waited for
	cancelled bool
}

// OpenHost opens Host.Link on a connection to a configured plugin, until ctx ends and for 5 s at most. The stream ends with
// Close, or when the plugin or the connection fails; its end tells the plugin that the host is gone.
func OpenHost(ctx context.Context, conn grpc.ClientConnInterface, cfg HostConfig) (*Host, error) {
	orDefault(&cfg.MaxCalls, 256)
	orDefault(&cfg.Rate, 10_000)
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	stream, ctx, cancel, err := openStream(ctx, conn, "open the host stream", &pluginpb.Host_ServiceDesc, pluginpb.Host_Link_FullMethodName)
	if err != nil {
		return nil, err
	}
	h := &Host{
		cfg: cfg, grants: make(map[string]bool), stream: stream, ctx: ctx, cancel: cancel, begun: time.Now(),
		done: make(chan struct{}), kvTurn: make(chan struct{}, 1),
		records: newRecords(), pace: pace{rate: cfg.Rate, debt: -burst}, open: make(map[uint64]*call),
	}
	h.conditions.self = func() *enode.Node { return cfg.Services.Self() }
	h.room, h.pending = sync.NewCond(&h.mu), sync.NewCond(&h.mu)
	h.kvTurn <- struct{}{}
	for _, g := range cfg.Grants {
		h.grants[g] = true
	}
	h.ended.Go(h.read)
	h.ended.Go(h.write)
	return h, nil
}

// owner is the plugin's name as the owner of record fields and bans.
func (h *Host) owner() string { return "plugin/" + h.cfg.Name }

// read handles calls until the stream is over.
func (h *Host) read() {
	var m incoming
	for {
		err := h.stream.RecvMsg(&m)
		if err == nil {
			err = h.message(m.bytes())
			m.free()
		} else {
			err = controlError("host stream", err)
		}
		if err != nil {
			h.fail(err)
			return
		}
	}
}

// message handles a HostCalls message, one call after the other: it is decoded piece by piece, so that a large one costs no more than
// its calls do.
func (h *Host) message(b []byte) error {
	var batch, count, cancels int
	var failed error
	h.pace.spend(len(b) / bytesPerUnit)
	ok := fields(b, func(number protowire.Number, _ uint64, data []byte) bool {
		if number != 1 || data == nil {
			return true
		}
		if h.crowded() {
			h.flushTalks()
			if !h.waitForRoom() {
				failed = ErrClosed
				return false
			}
		}
		c := new(pluginpb.HostCall)
		if failed = unmarshalCall(data, c); failed != nil {
			return false
		}
		count++
		h.handle(c)
		if batch++; batch == callBatch {
			batch = 0
			h.flushTalks()
		}
		failed = h.paced()
		return failed == nil
	})
	h.flushTalks()
	if failed == nil && ok {
		ok = fields(b, func(number protowire.Number, v uint64, data []byte) bool {
			if number != 2 {
				return true
			}
			if data == nil {
				cancels++
				h.cancelCall(v)
				return true
			}
			for len(data) > 0 { // packed
				id, n := protowire.ConsumeVarint(data)
				if n < 0 {
					return false
				}
				cancels++
				h.cancelCall(id)
				data = data[n:]
			}
			return true
		})
	}
	if count == 0 {
		h.pace.spend(1) // an empty message is no gift either
	}
	h.pace.spend((cancels + cancelsPerUnit - 1) / cancelsPerUnit)
	if failed == nil {
		failed = h.paced()
	}
	if failed == nil && !ok {
		failed = &LinkError{Op: "host stream", Err: errGarbage}
	}
	return failed
}

func unmarshalCall(b []byte, c *pluginpb.HostCall) error {
	if err := proto.Unmarshal(b, c); err != nil {
		return &LinkError{Op: "host stream", Err: errGarbage}
	}
	return nil
}

// paced waits until the plugin may cause more work.
func (h *Host) paced() error {
	wait := h.pace.wait(time.Since(h.begun))
	if wait <= 0 {
		return nil
	}
	h.flushTalks()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-h.ctx.Done():
		return ErrClosed
	}
}

// pace is a bucket of work that may be overdrawn: what comes next waits until the debt is paid.
type pace struct {
	rate int // units a second
	debt time.Duration
	last time.Duration
}

const (
	// burst is for how long a plugin may have saved up.
	burst = 500 * time.Millisecond
	// minWait is how long is worth a wait.
	minWait = 2 * time.Millisecond
	// bytesPerUnit and cancelsPerUnit are what a message costs besides its calls.
	bytesPerUnit   = 4 << 10
	cancelsPerUnit = 16
	// workPerUnit is what a unit stands for where work is measured: with 10,000 units a second a tenth of a core.
	workPerUnit = 10 * time.Microsecond
)

func (p *pace) spend(units int) { p.debt += time.Duration(units) * time.Second / time.Duration(p.rate) }

func (p *pace) wait(now time.Duration) time.Duration {
	p.debt -= now - p.last
	p.last = now
	p.debt = max(p.debt, -burst)
	if p.debt < minWait {
		return 0
	}
	return p.debt
}

// cancelCall ends a call that nobody waits for any more. Its reply comes when it has ended.
func (h *Host) cancelCall(id uint64) {
	h.mu.Lock()
	c := h.open[id]
	if c != nil {
		c.cancelled = true
	}
	h.mu.Unlock()
	if c != nil && c.cancel != nil {
		c.cancel()
	}
}

// Close ends the stream and all calls, and waits for them. It must not be called by core's goroutines in a turn, nor by what the
// services call.
func (h *Host) Close() {
	h.fail(ErrClosed)
	h.ended.Wait()
	h.calls.Wait()
}

// Done is closed when the stream is over, whatever ended it.
func (h *Host) Done() <-chan struct{} { return h.done }

// Err is why the stream is over; nil while it lasts.
func (h *Host) Err() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}

func (h *Host) fail(err error) {
	h.mu.Lock()
	if h.err != nil {
		h.mu.Unlock()
		return
	}
	h.err = err
	w := h.watch
	h.watch = nil
	h.room.Broadcast()
	h.pending.Broadcast()
	h.mu.Unlock()
	h.cancel()
	if w != nil {
		w.stop()
	}
	close(h.done)
}

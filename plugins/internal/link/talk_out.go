package link

import (
	"runtime"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

const (
	// maxBatch is how many requests one message carries: fewer than there are numbers of peers, so that none changes its
	// owner within a message.
	maxBatch = 1024
	// maxMessage is about how many bytes a message has at most.
	maxMessage = 256 << 10
)

// outbox collects what the writer sends next. Requests are encoded into it where they arrive. What it holds is bounded by
// the credits.
type outbox struct {
	current   *[]byte
	requests  int
	full      []*[]byte // messages before the current one
	message   uint64    // number of the current one
	taken     uint64    // those below this number went to the stream
	cancelled []uint64
	idle      bool // the writer waits to be woken
}

func (o *outbox) buffer() *[]byte {
	if o.current != nil && (o.requests >= maxBatch || len(*o.current) >= maxMessage) {
		o.full = append(o.full, o.current)
		o.current, o.requests = nil, 0
		o.message++
	}
	if o.current == nil {
		o.current = buffers.Get(bufferSize)
	}
	return o.current
}

// introduce tells the plugin about a peer.
func (o *outbox) introduce(p *peer, node *enode.Node) {
	b := o.buffer()
	*b = appendTalkPeer(*b, uint32(p.number), p.key.id, p.key.addr, recordOf(node))
}

// request appends a request and returns the number of its message.
func (o *outbox) request(id uint64, peer, protocol uint32, payload []byte, timeout time.Duration) uint64 {
	b := o.buffer()
	*b = appendTalkRequest(*b, id, peer, protocol, payload, timeout)
	o.requests++
	return o.message
}

// cancel tells the plugin that nobody waits for a response any more.
func (o *outbox) cancel(id uint64) { o.cancelled = append(o.cancelled, id) }

func (o *outbox) empty() bool {
	return len(o.full) == 0 && o.current == nil && len(o.cancelled) == 0
}

// claim reports whether the writer has to be woken, which the caller does after unlocking.
func (o *outbox) claim() bool {
	if !o.idle || o.empty() {
		return false
	}
	o.idle = false
	return true
}

// take returns the next message, or nil.
func (o *outbox) take() *[]byte {
	if o.empty() {
		return nil
	}
	var b *[]byte
	if len(o.full) > 0 {
		b = o.full[0]
		o.full[0] = nil
		if o.full = o.full[1:]; len(o.full) == 0 {
			o.full = nil
		}
		o.taken++
		return b
	}
	if b = o.current; b != nil {
		o.current, o.requests = nil, 0
		o.message++
		o.taken = o.message
	} else {
		b = buffers.Get(bufferSize)
	}
	*b = appendTalkCancelled(*b, o.cancelled)
	o.cancelled = o.cancelled[:0]
	return b
}

// drop gives up what is not sent.
func (o *outbox) drop() {
	for _, b := range o.full {
		buffers.Put(b)
	}
	if o.current != nil {
		buffers.Put(o.current)
	}
	*o = outbox{}
}

func (t *Talk) wakeWriter() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// write sends what is pending, all of it in one message, until the stream is over.
func (t *Talk) write() {
	var m outgoing
	for {
		t.mu.Lock()
		closed := t.state == talkClosed
		m.data = nil
		if !closed {
			m.data = t.out.take()
		}
		t.out.idle = m.data == nil
		if m.data != nil {
			t.stats.Messages++
		}
		t.mu.Unlock()
		if closed {
			return
		}
		if m.data == nil {
			select {
			case <-t.wake:
				runtime.Gosched() // whoever woke us is in the middle of a batch of packets
			case <-t.ctx.Done():
				return
			}
			continue
		}
		if err := t.stream.SendMsg(&m); err != nil {
			return // the reader learns why
		}
	}
}

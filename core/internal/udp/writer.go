package udp

import (
	"errors"
	"net/netip"
)

// MaxQueue is the most datagrams that a Writer holds; one more flushes it.
const MaxQueue = 64

// maxLost bounds the destinations that Lost tells.
const maxLost = 4 * MaxQueue

// Errors of datagrams that a Writer refuses to queue; Flush reports them.
var (
	ErrTooLarge = errors.New("udp: datagram larger than 1280 bytes")
	ErrAddress  = errors.New("udp: no address or port to send to")
)

// datagram is one that waits in a Writer. data lies in the Writer's slot of the same index.
type datagram struct {
	to   netip.AddrPort
	data []byte
	lost bool // set by the sender: dropped
}

// sender sends queued datagrams in order, in one attempt, and marks those that it drops.
// sent + dropped is the length of the queue; err is nil when nothing was dropped.
type sender interface {
	send(queue []datagram) (sent, dropped int, err error)
}

// Writer queues datagrams and sends them together: with sendmmsg and UDP_SEGMENT for a *net.UDPConn
// on Linux, else one by one. It belongs to one owner at a time, such as the holder of a lock, and
// does not disturb the Conn's reader.
type Writer struct {
	out   sender
	slots [][]byte   // made on demand, up to MaxQueue, each of capacity MaxDatagram
	queue []datagram // the first len(queue) slots are taken

	// What became of datagrams since the last Flush returned.
	sent, dropped int
	err           error
	losing, lost  []netip.AddrPort // destinations of datagrams dropped since the last Flush, and before it
}

// NewWriter makes a Writer for the Conn's socket. It allocates buffers only when they are used.
func NewWriter(c *Conn) *Writer { return &Writer{out: newSender(c.pc)} }

// Buffer is an empty slice with a capacity of MaxDatagram, to append a datagram to and hand to Queue.
// It is the caller's until the next call of any of the Writer's methods but Len; Buffer called again
// without a Queue returns the same memory. When the queue is full it is sent first.
func (w *Writer) Buffer() []byte {
	w.room()
	return w.slot()
}

// Queue puts a datagram last in the queue, after sending the queue if it is full. A datagram made in
// Buffer's memory is taken as it is, any other is copied. It never fails: a datagram above
// MaxDatagram, an invalid address and port 0 count as dropped in the next Flush.
func (w *Writer) Queue(to netip.AddrPort, b []byte) {
	switch {
	case len(b) > MaxDatagram:
		w.dropped, w.err = w.dropped+1, ErrTooLarge
		return
	case !to.IsValid() || to.Port() == 0:
		w.dropped, w.err = w.dropped+1, ErrAddress
		return
	}
	w.room()
	slot := w.slot()[:len(b)]
	if len(b) > 0 && &slot[0] != &b[0] {
		copy(slot, b)
	}
	w.queue = append(w.queue, datagram{to: unmap(to), data: slot})
}

// Len is the number of datagrams that wait, at most MaxQueue.
func (w *Writer) Len() int { return len(w.queue) }

// Flush empties the queue in one attempt, and counts what was sent and what was dropped since the
// last Flush, in datagrams. On Linux it never waits: what the socket does not take at once is dropped. A
// datagram that cannot reach its destination is dropped alone. err is the last reason of a drop and
// nil without one; net.ErrClosed among them means that the socket is closed.
func (w *Writer) Flush() (sent, dropped int, err error) {
	w.send()
	sent, dropped, err = w.sent, w.dropped, w.err
	w.sent, w.dropped, w.err = 0, 0, nil
	w.losing, w.lost = w.lost[:0], w.losing
	return sent, dropped, err
}

// Lost is where the datagrams should have gone that the socket did not take, of those that the last Flush counted as
// dropped; at most maxLost. It is valid until the next call of Flush.
func (w *Writer) Lost() []netip.AddrPort { return w.lost }

// room sends the queue if it is full.
func (w *Writer) room() {
	if len(w.queue) == MaxQueue {
		w.send()
	}
}

// slot is the empty buffer of the next datagram.
func (w *Writer) slot() []byte {
	if len(w.slots) == len(w.queue) {
		w.slots = append(w.slots, make([]byte, 0, MaxDatagram))
	}
	return w.slots[len(w.queue)]
}

// send empties the queue and adds to the counts.
func (w *Writer) send() {
	if len(w.queue) == 0 {
		return
	}
	sent, dropped, err := w.out.send(w.queue)
	if dropped > 0 {
		for _, d := range w.queue {
			if d.lost && len(w.losing) < maxLost {
				w.losing = append(w.losing, d.to)
			}
		}
	}
	w.queue = w.queue[:0]
	w.sent += sent
	w.dropped += dropped
	if err != nil {
		w.err = err
	}
}

package udp

import "net/netip"

// MaxBatch is the most datagrams that one Read takes.
const MaxBatch = 32

const (
	firstBatch = 4               // buffers of a batch before any load
	readSize   = MaxDatagram + 1 // one byte more shows that a datagram was too large
)

// ReadBatch holds the datagrams of one Read. The zero value is ready; use one for the life of a
// reader, so that its buffers are made once. It is owned by the reader.
type ReadBatch struct {
	bufs  [][]byte // each readSize long
	items []item   // items[i] tells what is in bufs[i]
}

type item struct {
	from      netip.AddrPort
	size      int
	truncated bool
}

// At is datagram i of the last Read, for i below the n it returned. data is valid until the next
// Read into this batch. from is the sender, never a 4-in-6 address; a link-local one carries the
// receiving interface as its zone, by index or by name. truncated tells that the datagram was
// larger than MaxDatagram; data is then its first MaxDatagram bytes. Windows drops such a datagram
// without telling who sent it, and Read passes over it.
func (b *ReadBatch) At(i int) (data []byte, from netip.AddrPort, truncated bool) {
	it := &b.items[i]
	return b.bufs[i][:it.size], it.from, it.truncated
}

// set records that buffer i holds size bytes from a sender; cut tells that the system has already
// thrown bytes away.
func (b *ReadBatch) set(i, size int, from netip.AddrPort, cut bool) {
	b.items[i] = item{
		from:      unmap(from),
		size:      min(size, MaxDatagram),
		truncated: cut || size > MaxDatagram,
	}
}

// grow makes the batch at least n buffers long, with one allocation for all the new ones.
func (b *ReadBatch) grow(n int) {
	more := n - len(b.bufs)
	if more <= 0 {
		return
	}
	block := make([]byte, more*readSize)
	for range more {
		b.bufs = append(b.bufs, block[:readSize:readSize])
		block = block[readSize:]
	}
	b.items = append(b.items, make([]item, more)...)
}

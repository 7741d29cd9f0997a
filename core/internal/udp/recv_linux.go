package udp

import (
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mmsgReceiver reads with recvmmsg on the runtime's poller. Its headers point into the buffers of the
// batch that it read into last. It is owned by the reader.
type mmsgReceiver struct {
	raw  syscall.RawConn
	call func(fd uintptr) bool // recv, made into a closure once

	into  *ReadBatch
	msgs  []mmsghdr
	iovs  []unix.Iovec
	names []sockaddr
	zones zones

	// Of the running receive.
	take  func(n int) bool
	errno syscall.Errno

	full bool // the last batch filled all buffers
	idle int  // batches after which the socket is not asked whether there is more
}

// idleBatches is for how many batches the socket counts as empty after one behind which nothing was found. Then it is asked
// again: under load there is more, and finding it at once is cheaper than being woken.
const idleBatches = 15

func newMmsgReceiver(raw syscall.RawConn) *mmsgReceiver {
	r := &mmsgReceiver{raw: raw}
	r.call = r.recv
	return r
}

func (r *mmsgReceiver) receive(into *ReadBatch, take func(int) bool) error {
	r.into, r.take, r.errno = into, take, 0
	if err := r.raw.Read(r.call); err != nil {
		return err
	}
	if r.errno != 0 {
		return os.NewSyscallError("recvmmsg", r.errno)
	}
	return nil
}

// prepare points the headers at the batch's buffers, of which there are twice as many when the last batch
// filled them all.
func (r *mmsgReceiver) prepare() {
	want := max(firstBatch, len(r.into.bufs))
	if r.full {
		want, r.full = min(2*want, MaxBatch), false
	}
	r.into.grow(want)
	if want == len(r.msgs) && r.iovs[0].Base == &r.into.bufs[0][0] {
		return
	}
	if len(r.msgs) != want {
		r.msgs = make([]mmsghdr, want)
		r.iovs = make([]unix.Iovec, want)
		r.names = make([]sockaddr, want)
	}
	for i := range r.msgs {
		r.iovs[i].Base = &r.into.bufs[i][0]
		r.iovs[i].SetLen(len(r.into.bufs[i]))
		h := &r.msgs[i].hdr
		h.Name, h.Namelen = &r.names[i][0], unix.SizeofSockaddrInet6
		h.Iov = &r.iovs[i]
		h.SetIovlen(1)
	}
}

// recv reads batches until take has enough or a read fails. It returns false to be called again when something has arrived
// since the call: the poller is edge-triggered, and what it learned meanwhile is not lost.
func (r *mmsgReceiver) recv(fd uintptr) bool {
	for found := false; ; {
		r.prepare()
		// It never blocks, so the scheduler need not hear of it.
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, fd,
			uintptr(unsafe.Pointer(&r.msgs[0])), uintptr(len(r.msgs)), unix.MSG_DONTWAIT, 0, 0)
		switch {
		case errno == 0:
			r.full = int(n) == len(r.msgs)
			if !r.deliver(int(n)) {
				return true
			}
			if !r.full && r.idle > 0 {
				r.idle--
				return false
			}
			found = true
		case errno == unix.EAGAIN:
			if found {
				r.idle = idleBatches
			}
			return false
		case errno == unix.EINTR, passingErrno(errno):
			// Every pass takes one pending error off the socket, so this ends.
		default:
			r.errno = errno
			return true
		}
	}
}

// deliver gives a batch to whoever reads.
func (r *mmsgReceiver) deliver(n int) (more bool) {
	for i := range n {
		m := &r.msgs[i]
		r.into.set(i, int(m.size), r.names[i].addrPort(&r.zones), m.hdr.Flags&unix.MSG_TRUNC != 0)
		m.hdr.Namelen = unix.SizeofSockaddrInet6 // the kernel put the real length there
	}
	return r.take(n)
}

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

	// The result of call.
	n     int
	errno syscall.Errno
}

func newMmsgReceiver(raw syscall.RawConn) *mmsgReceiver {
	r := &mmsgReceiver{raw: raw}
	r.call = r.recv
	return r
}

func (r *mmsgReceiver) receive(into *ReadBatch) (int, error) {
	r.prepare(into)
	r.n, r.errno = 0, 0
	if err := r.raw.Read(r.call); err != nil {
		return 0, err
	}
	if r.errno != 0 {
		return 0, os.NewSyscallError("recvmmsg", r.errno)
	}
	for i := range r.n {
		m := &r.msgs[i]
		into.set(i, int(m.size), r.names[i].addrPort(&r.zones), m.hdr.Flags&unix.MSG_TRUNC != 0)
		m.hdr.Namelen = unix.SizeofSockaddrInet6 // the kernel put the real length there
	}
	return r.n, nil
}

// prepare points the headers at the batch's buffers, of which there are more when the last Read
// filled them all.
func (r *mmsgReceiver) prepare(into *ReadBatch) {
	want := max(firstBatch, len(into.bufs))
	if r.into == into && r.n == len(r.msgs) {
		want = min(2*want, MaxBatch)
	}
	if r.into == into && want == len(r.msgs) {
		return
	}
	into.grow(want)
	r.into = into
	if len(r.msgs) != want {
		r.msgs = make([]mmsghdr, want)
		r.iovs = make([]unix.Iovec, want)
		r.names = make([]sockaddr, want)
	}
	for i := range r.msgs {
		r.iovs[i].Base = &into.bufs[i][0]
		r.iovs[i].SetLen(len(into.bufs[i]))
		h := &r.msgs[i].hdr
		h.Name, h.Namelen = &r.names[i][0], unix.SizeofSockaddrInet6
		h.Iov = &r.iovs[i]
		h.SetIovlen(1)
	}
}

// recv makes the system call. It returns false to be called again when the socket is readable.
func (r *mmsgReceiver) recv(fd uintptr) bool {
	for {
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, fd,
			uintptr(unsafe.Pointer(&r.msgs[0])), uintptr(len(r.msgs)), unix.MSG_DONTWAIT, 0, 0)
		switch {
		case errno == 0:
			r.n = int(n)
			return true
		case errno == unix.EAGAIN:
			return false
		case errno == unix.EINTR, passingErrno(errno):
			// Every pass takes one pending error off the socket, so this ends.
		default:
			r.errno = errno
			return true
		}
	}
}

package udp

import (
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// maxSegments is the kernel's UDP_MAX_SEGMENTS in its older, smaller value.
	maxSegments = 64
	// maxSegmented is the largest payload of a message that is cut into segments: what an IPv4
	// packet can hold behind its own header and UDP's.
	maxSegmented = 65535 - 20 - 8
	// maxRefusals is the number of segmented messages refused in a row after which no more are
	// tried on a socket. One refusal may be due to one destination, such as a path of small MTU.
	maxRefusals = 16
	// maxAttempts bounds how often one message is tried when pending errors of earlier datagrams
	// come first.
	maxAttempts = 3
)

// segmentControl is the control message that has the kernel cut a message into datagrams of size
// bytes. The compiler pads it to CMSG_SPACE.
type segmentControl struct {
	hdr  unix.Cmsghdr
	size uint16
}

// mmsgSender sends with sendmmsg and never waits. Consecutive datagrams of one size to one address go
// as one message with UDP_SEGMENT, which costs the kernel one walk through its network stack.
// Element i of iovs belongs to datagram i of the queue, the other arrays to messages.
type mmsgSender struct {
	raw  syscall.RawConn
	call func(fd uintptr) bool // sendAll, made into a closure once

	v4       bool // the socket's family is AF_INET
	segment  bool // UDP_SEGMENT is understood and has not been refused too often
	refusals int  // segmented messages refused since one was taken

	iovs     []unix.Iovec
	msgs     []mmsghdr
	counts   []int // datagrams in a message
	names    []sockaddr
	controls []segmentControl
	zones    zones

	// The argument of call and how far it got: messages next to built are made of the datagrams from
	// pos on.
	queue       []datagram
	pos         int // the first datagram that is neither sent nor dropped
	next, built int
	singles     int // datagrams before this one are not segmented
	attempts    int // at message next

	// The result of call.
	sent, dropped int
	errno         syscall.Errno
}

func newMmsgSender(raw syscall.RawConn) *mmsgSender {
	s := &mmsgSender{raw: raw}
	s.call = s.sendAll
	_ = raw.Control(func(fd uintptr) {
		family, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DOMAIN)
		s.v4 = err == nil && family == unix.AF_INET
		// Kernels before 4.18 would ignore the control message and send one large datagram.
		_, err = unix.GetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_SEGMENT)
		s.segment = err == nil
	})
	return s
}

func (s *mmsgSender) send(queue []datagram) (sent, dropped int, err error) {
	s.grow(len(queue))
	s.queue = queue
	s.pos, s.next, s.built, s.singles, s.attempts = 0, 0, 0, 0, 0
	s.sent, s.dropped, s.errno = 0, 0, 0
	if err := s.raw.Write(s.call); err != nil {
		markLost(queue)
		return 0, len(queue), err
	}
	if s.errno != 0 {
		err = os.NewSyscallError("sendmmsg", s.errno)
	}
	return s.sent, s.dropped, err
}

// grow makes room for a queue of n, in steps of doubling.
func (s *mmsgSender) grow(n int) {
	if n <= len(s.iovs) {
		return
	}
	size := 4
	for size < n {
		size *= 2
	}
	s.iovs = make([]unix.Iovec, size)
	s.msgs = make([]mmsghdr, size)
	s.counts = make([]int, size)
	s.names = make([]sockaddr, size)
	s.controls = make([]segmentControl, size)
}

// sendAll gets rid of the whole queue. It always returns true: a full socket is not waited for.
func (s *mmsgSender) sendAll(fd uintptr) bool {
	for s.pos < len(s.queue) {
		if s.next == s.built {
			s.build()
		}
		// It never blocks, so the scheduler need not hear of it.
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, fd,
			uintptr(unsafe.Pointer(&s.msgs[s.next])), uintptr(s.built-s.next), unix.MSG_DONTWAIT, 0, 0)
		if errno == 0 {
			s.taken(int(n))
		} else {
			s.failed(errno)
		}
	}
	return true
}

// build makes messages of all the datagrams that are left.
func (s *mmsgSender) build() {
	s.next, s.built = 0, 0
	for i := s.pos; i < len(s.queue); s.built++ {
		end := i + 1
		if s.segment && i >= s.singles {
			end = s.segmentEnd(i)
		}
		for j := i; j < end; j++ {
			s.iovs[j].Base = unsafe.SliceData(s.queue[j].data)
			s.iovs[j].SetLen(len(s.queue[j].data))
		}
		h := &s.msgs[s.built].hdr
		h.Name = &s.names[s.built][0]
		h.Namelen = s.names[s.built].set(s.queue[i].to, s.v4, &s.zones)
		h.Iov = &s.iovs[i]
		h.SetIovlen(end - i)
		h.Control = nil
		h.SetControllen(0)
		if end-i > 1 {
			c := &s.controls[s.built]
			c.hdr.Level, c.hdr.Type = unix.SOL_UDP, unix.UDP_SEGMENT
			c.hdr.SetLen(unix.CmsgLen(int(unsafe.Sizeof(c.size))))
			c.size = uint16(len(s.queue[i].data))
			h.Control = (*byte)(unsafe.Pointer(c))
			h.SetControllen(int(unsafe.Sizeof(*c)))
		}
		s.counts[s.built] = end - i
		i = end
	}
}

// segmentEnd is the end of the run of datagrams from i on that can be segments of one message: one
// address, one size, only the last may be shorter.
func (s *mmsgSender) segmentEnd(i int) int {
	first := s.queue[i]
	total := len(first.data)
	end := i + 1
	for end < len(s.queue) && end-i < maxSegments {
		d := s.queue[end]
		total += len(d.data)
		if d.to != first.to || len(d.data) > len(first.data) || len(d.data) == 0 || total > maxSegmented {
			break
		}
		end++
		if len(d.data) < len(first.data) {
			break
		}
	}
	return end
}

// taken counts messages that the socket took.
func (s *mmsgSender) taken(n int) {
	for ; n > 0; n-- {
		count := s.counts[s.next]
		if count > 1 {
			s.refusals = 0
		}
		s.sent += count
		s.pos += count
		s.next++
	}
	s.attempts = 0
}

// failed decides about message next, which was not sent.
func (s *mmsgSender) failed(errno syscall.Errno) {
	s.attempts++
	count := s.counts[s.next]
	switch {
	case errno == unix.EAGAIN:
		s.drop(len(s.queue)-s.pos, errno)
	case s.attempts < maxAttempts && (errno == unix.EINTR || passingErrno(errno)):
		// Most likely the pending error of an earlier datagram. Try this one again.
	case count > 1 && s.refused(errno):
		s.singles, s.next, s.attempts = s.pos+count, s.built, 0
	default:
		s.drop(count, errno)
		s.next++
		s.attempts = 0
	}
}

// drop counts the next datagrams as dropped.
func (s *mmsgSender) drop(count int, errno syscall.Errno) {
	markLost(s.queue[s.pos : s.pos+count])
	s.dropped += count
	s.pos += count
	s.errno = errno
}

// refused tells whether a segmented message was refused for being segmented, and remembers it.
func (s *mmsgSender) refused(errno syscall.Errno) bool {
	switch errno {
	case unix.EIO, unix.ENOPROTOOPT, unix.EOPNOTSUPP:
		s.segment = false // the device or the kernel cannot
	case unix.EINVAL, unix.EMSGSIZE:
		s.refusals++ // or this destination cannot: the segment does not fit its path
		s.segment = s.refusals < maxRefusals
	default:
		return false
	}
	return true
}

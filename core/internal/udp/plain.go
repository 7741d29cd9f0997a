package udp

import (
	"errors"
	"net"
	"syscall"
)

// plainReceiver reads one datagram a call.
type plainReceiver struct{ pc PacketConn }

func (r plainReceiver) receive(into *ReadBatch, take func(int) bool) error {
	into.grow(1)
	for {
		n, from, err := r.pc.ReadFromUDPAddrPort(into.bufs[0])
		switch {
		case err == nil:
			into.set(0, n, from, false)
			if !take(1) {
				return nil
			}
		case !passing(err):
			return err
		}
	}
}

// plainSender writes one datagram a call.
type plainSender struct{ pc PacketConn }

func (s plainSender) send(queue []datagram) (sent, dropped int, err error) {
	for i, d := range queue {
		_, werr := s.pc.WriteToUDPAddrPort(d.data, d.to)
		if errors.Is(werr, syscall.ECONNREFUSED) {
			// It reports an earlier datagram to somebody else; this one has not been sent.
			_, werr = s.pc.WriteToUDPAddrPort(d.data, d.to)
		}
		switch {
		case werr == nil:
			sent++
		case errors.Is(werr, net.ErrClosed):
			markLost(queue[i:])
			return sent, dropped + len(queue) - i, werr
		default:
			queue[i].lost = true
			dropped, err = dropped+1, werr
		}
	}
	return sent, dropped, err
}

func markLost(queue []datagram) {
	for i := range queue {
		queue[i].lost = true
	}
}

// passing tells whether a read error only reports what became of an earlier datagram of ours, or a
// datagram that cannot be had any more: the next read may succeed.
func passing(err error) bool {
	var errno syscall.Errno
	return errors.As(err, &errno) && passingErrno(errno)
}

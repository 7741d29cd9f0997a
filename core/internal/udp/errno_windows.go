package udp

import "syscall"

const (
	wsaMsgSize    = syscall.Errno(10040) // WSAEMSGSIZE: the datagram was larger than the buffer
	wsaNetReset   = syscall.Errno(10052) // WSAENETRESET: time to live expired on the way
	wsaConnReset  = syscall.Errno(10054) // WSAECONNRESET: ICMP port unreachable
	wsaConnRefuse = syscall.Errno(10061) // WSAECONNREFUSED
)

// passingErrno: Windows reports ICMP answers to sent datagrams, and oversized datagrams, as errors of
// the next read. The socket is as good as before.
func passingErrno(e syscall.Errno) bool {
	switch e {
	case wsaMsgSize, wsaNetReset, wsaConnReset, wsaConnRefuse:
		return true
	}
	return false
}

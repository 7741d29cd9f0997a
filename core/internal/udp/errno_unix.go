//go:build !windows

package udp

import "syscall"

// passingErrno tells whether an error of a socket call may be the pending error of the socket, set by
// an ICMP answer to an earlier datagram. Such an error is told once, and the call it interrupts has
// done nothing.
func passingErrno(e syscall.Errno) bool {
	switch e {
	case syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EHOSTUNREACH, syscall.ENETUNREACH,
		syscall.EHOSTDOWN, syscall.ENETDOWN, syscall.EPROTO:
		return true
	}
	return false
}

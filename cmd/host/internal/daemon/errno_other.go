//go:build !windows

package daemon

import "syscall"

// What the system says when a socket cannot be opened.
const (
	errInUse    = syscall.EADDRINUSE
	errDenied   = syscall.EACCES
	errNotHere  = syscall.EADDRNOTAVAIL
	errNoFamily = syscall.EAFNOSUPPORT
)

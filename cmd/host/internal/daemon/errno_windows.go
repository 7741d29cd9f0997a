package daemon

import "golang.org/x/sys/windows"

// What the system says when a socket cannot be opened.
const (
	errInUse    = windows.WSAEADDRINUSE
	errDenied   = windows.WSAEACCES
	errNotHere  = windows.WSAEADDRNOTAVAIL
	errNoFamily = windows.WSAEAFNOSUPPORT
)

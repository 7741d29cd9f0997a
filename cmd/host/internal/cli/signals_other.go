//go:build !unix

package cli

import (
	"os"
	"syscall"
)

// On Windows the end of the console, of the session and of the system come as SIGTERM.
var stopSignals = []os.Signal{os.Interrupt, syscall.SIGTERM}

// askedToReload does nothing: no signal asks for a reload here.
func askedToReload(chan<- os.Signal) {}

//go:build unix

package cli

import (
	"os"
	"os/signal"
	"syscall"
)

var stopSignals = []os.Signal{os.Interrupt, syscall.SIGTERM}

// askedToReload sends on c when a signal asks for a reload.
func askedToReload(c chan<- os.Signal) { signal.Notify(c, syscall.SIGHUP) }

//go:build !unix

package cli

import "os"

var stopSignals = []os.Signal{os.Interrupt}

// askedToReload does nothing: no signal asks for a reload here.
func askedToReload(chan<- os.Signal) {}

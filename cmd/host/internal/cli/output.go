package cli

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/discv5/host/cmd/host/internal/hint"
)

// output is stdout. It remembers the first error of a write, and ends the command then: whoever wanted the rest will not get it.
// It may be used by several goroutines.
type output struct {
	w      io.Writer
	cancel context.CancelFunc

	mu  sync.Mutex
	err error
}

func newOutput(w io.Writer, cancel context.CancelFunc) *output { return &output{w: w, cancel: cancel} }

func (o *output) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	if err != nil {
		o.mu.Lock()
		if o.err == nil {
			o.err = err
		}
		o.mu.Unlock()
		o.cancel()
	}
	return n, err
}

// Fd is the descriptor below, for those who ask whether it is a terminal; what is no file has none that could be one.
func (o *output) Fd() uintptr {
	if f, ok := o.w.(interface{ Fd() uintptr }); ok {
		return f.Fd()
	}
	return ^uintptr(0)
}

// failed is the first error, nil if there was none.
func (o *output) failed() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		return nil
	}
	return hint.Wrap(fmt.Errorf("write the output: %w", o.err), "the output is not complete; is its disk full, or its reader gone?")
}

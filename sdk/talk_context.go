package sdk

import (
	"context"
	"sync"
	"time"
)

// requestContext is the context of one request. It costs nothing until somebody waits for it: timer and channel are made by Done. (A
// context.WithDeadline for each request would be a third of what a small request costs.)
type requestContext struct {
	parent   context.Context // of the stream
	deadline time.Time

	mu     sync.Mutex
	err    error           // it ended before real was made
	real   context.Context // nil until somebody waits
	cancel context.CancelFunc
}

// Deadline is when the host answers by itself.
func (c *requestContext) Deadline() (time.Time, bool) { return c.deadline, true }

// Done is closed when the request is over.
func (c *requestContext) Done() <-chan struct{} { return c.whole().Done() }

// Err is why the request is over.
func (c *requestContext) Err() error {
	c.mu.Lock()
	real, err := c.real, c.err
	c.mu.Unlock()
	switch {
	case real != nil:
		return real.Err()
	case err != nil:
		return err
	case c.parent.Err() != nil:
		return c.parent.Err()
	case !time.Now().Before(c.deadline):
		return context.DeadlineExceeded
	}
	return nil
}

// Value returns values of the parent. It also lets package context attach contexts derived from this one without a goroutine.
func (c *requestContext) Value(key any) any { return c.whole().Value(key) }

func (c *requestContext) whole() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.real == nil {
		c.real, c.cancel = context.WithDeadline(c.parent, c.deadline)
		if c.err != nil {
			c.cancel()
		}
	}
	return c.real
}

// end ends the context if it has not ended yet.
func (c *requestContext) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = context.Canceled
	}
	if c.cancel != nil {
		c.cancel()
	}
}

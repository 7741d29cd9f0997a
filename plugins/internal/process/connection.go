package process

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc"
)

// catcher sees the streams that are opened. go-plugin loses the connection when it cannot open the stream of the standard
// outputs, so it is noted for closing. The broker's stream is not opened at all: nobody uses it here, and a plugin could make the
// host's memory grow through it.
type catcher struct {
	starting context.Context // ends when the plugin must have been reached
	run      *run

	mu    sync.Mutex
	conns []*grpc.ClientConn // at most two
}

var errNoBroker = errors.New("process: the broker is not used")

// intercept opens a stream. go-plugin has no bound on how long that takes for the standard outputs, and holds a lock meanwhile
// that it needs to notice the end of the process: here that ends the wait, and so does the end of the time for the start.
func (c *catcher) intercept(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	if strings.HasPrefix(method, "/plugin.GRPCBroker/") {
		return nil, errNoBroker
	}
	c.mu.Lock()
	if !slices.Contains(c.conns, cc) {
		c.conns = append(c.conns, cc)
	}
	c.mu.Unlock()
	if !strings.HasPrefix(method, "/plugin.GRPCStdio/") {
		return open(ctx, desc, cc, method, opts...)
	}
	ctx, cancel := context.WithCancel(ctx)
	late, ended := context.AfterFunc(c.starting, cancel), context.AfterFunc(c.run.life, cancel)
	s, err := open(ctx, desc, cc, method, opts...)
	late()
	ended()
	if err != nil {
		cancel()
		return nil, err
	}
	return &printed{s, c.run.printed, cancel}, nil
}

func (c *catcher) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cc := range c.conns {
		_ = cc.Close()
	}
}

// printed is the stream of what a plugin prints. go-plugin reads it as fast as it comes: each message costs as much as a line
// does.
type printed struct {
	grpc.ClientStream
	flow   *flow
	cancel context.CancelFunc
}

// RecvMsg receives the next message and waits until there may be more.
func (p *printed) RecvMsg(m any) error {
	err := p.ClientStream.RecvMsg(m)
	if err != nil {
		p.cancel()
		return err
	}
	p.flow.spend(lineCost)
	return nil
}

package link

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc"
)

// openTimeout is how long a plugin may keep the host from opening a stream: it says how many it allows at a time.
const openTimeout = 5 * time.Second

var errNotOpened = errors.New("the plugin allows no stream within 5 s")

// openStream opens a stream until ctx ends, and for 5 s at most. Once open it lasts until cancel, whatever ctx does.
func openStream(ctx context.Context, conn grpc.ClientConnInterface, op string, service *grpc.ServiceDesc, method string) (_ grpc.ClientStream, _ context.Context, cancel context.CancelFunc, _ error) {
	opening, done := context.WithTimeoutCause(ctx, openTimeout, errNotOpened)
	defer done()
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	opened := context.AfterFunc(opening, cancel)
	stream, err := conn.NewStream(life, &service.Streams[0], method, grpc.StaticMethod(), forceRaw)
	if !opened() {
		cancel()
		return nil, nil, nil, &LinkError{Op: op, Err: context.Cause(opening)}
	}
	if err != nil {
		cancel()
		return nil, nil, nil, controlError(op, err)
	}
	return stream, life, cancel, nil
}

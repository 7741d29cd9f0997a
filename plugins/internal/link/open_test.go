package link

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
)

// fullConn is a connection to a plugin that allows no more streams.
type fullConn struct{ grpc.ClientConnInterface }

func (fullConn) NewStream(ctx context.Context, _ *grpc.StreamDesc, _ string, _ ...grpc.CallOption) (grpc.ClientStream, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// streams are what opens one.
var streams = map[string]func(context.Context, grpc.ClientConnInterface) (interface{ Close() }, error){
	"talk": func(ctx context.Context, conn grpc.ClientConnInterface) (interface{ Close() }, error) {
		return OpenTalk(ctx, conn, TalkConfig{})
	},
	"filter": func(ctx context.Context, conn grpc.ClientConnInterface) (interface{ Close() }, error) {
		return OpenFilter(ctx, conn)
	},
	"host": func(ctx context.Context, conn grpc.ClientConnInterface) (interface{ Close() }, error) {
		return OpenHost(ctx, conn, HostConfig{})
	},
}

func TestOpeningEnds(t *testing.T) {
	for name, open := range streams {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			end := make(chan error, 1)
			try := func() { _, err := open(ctx, fullConn{}); end <- err }
			go try()
			time.Sleep(openTimeout + time.Millisecond)
			synctest.Wait()
			select {
			case err := <-end:
				if !errors.Is(err, ErrFailed) || !errors.Is(err, errNotOpened) || errors.Is(err, context.Canceled) {
					t.Errorf("%s: %v", name, err)
				}
			default:
				t.Fatalf("%s: the opening goes on", name)
			}
			go try()
			synctest.Wait()
			cancel()
			synctest.Wait()
			select {
			case err := <-end:
				if !errors.Is(err, context.Canceled) {
					t.Errorf("%s: %v", name, err)
				}
			default:
				t.Fatalf("%s: the opening goes on when it is cancelled", name)
			}
		})
	}
}

// What bounds the opening does not bound the stream.
func TestStreamOutlivesItsOpening(t *testing.T) {
	for name, open := range streams {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			s, err := open(ctx, stuckConn{})
			if err != nil {
				t.Fatal(err)
			}
			cancel()
			time.Sleep(time.Minute)
			synctest.Wait()
			if err := s.(interface{ Err() error }).Err(); err != nil {
				t.Errorf("%s: ended with %v", name, err)
			}
			s.Close()
		})
	}
}

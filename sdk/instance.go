package sdk

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/discv5/host/sdk/internal/door"
	"github.com/discv5/host/sdk/pluginpb"
	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
)

// Times of the end.
const (
	drainTime    = 2 * time.Second        // from the host's request, or SIGTERM
	orphanedTime = 500 * time.Millisecond // when the host is gone
)

// instance is one served plugin from its registration to its end.
type instance struct {
	pluginpb.UnimplementedPluginServer
	pluginpb.UnimplementedHostServer

	// set at the start, then read-only
	plugin  Plugin
	own     common
	log     hclog.Logger
	faulty  error // the plugin is badly made
	about   *pluginpb.Description
	link    *link
	metrics *metrics
	talk    *talkServer // of a talk plugin, otherwise nil
	ctx     context.Context
	cancel  context.CancelFunc // of ctx: the plugin must stop
	serves  func()             // called by Describe and Configure

	mu         sync.Mutex
	configured bool          // Configure was called
	ready      bool          // and was successful
	draining   chan struct{} // not nil: the drain has begun; closed: it is over

	doneOnce sync.Once
	done     chan struct{}
}

func newInstance(p Plugin, log hclog.Logger) *instance {
	in := &instance{plugin: p, own: p.common(), log: log, link: newLink(), metrics: newMetrics(log), serves: func() {}, done: make(chan struct{})}
	in.about, in.faulty = description(p)
	in.ctx, in.cancel = context.WithCancel(context.Background())
	return in
}

// register adds the services of the plugin to a server.
func (in *instance) register(s grpc.ServiceRegistrar) {
	pluginpb.RegisterPluginServer(s, in)
	pluginpb.RegisterHostServer(s, in)
	if len(in.own.methods) > 0 {
		pluginpb.RegisterMethodsServer(s, &methodServer{in: in})
	}
	switch p := in.plugin.(type) {
	case *TalkPlugin:
		in.talk = newTalkServer(in, p)
		pluginpb.RegisterTalkServer(s, in.talk)
	case *FilterPlugin:
		pluginpb.RegisterFilterServer(s, &filterServer{in: in, filter: p.Filter})
	case *StorePlugin:
		pluginpb.RegisterStoreServer(s, &storeServer{in: in, store: p.Store})
	}
}

// Done is closed when the process should end.
func (in *instance) Done() <-chan struct{} { return in.done }

// Stop drains within ctx and closes Done.
func (in *instance) Stop(ctx context.Context) {
	_ = in.drain(ctx) // whatever was not drained now is lost
	in.cancel()
	in.link.close()
	in.doneOnce.Do(func() { close(in.done) })
}

func (in *instance) stopWithin(d time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	in.Stop(ctx)
}

// drain answers the requests that are there, lets the plugin write what it keeps, and ends its context. The first call does it; all
// wait until it is done or their context ends.
func (in *instance) drain(ctx context.Context) error {
	in.mu.Lock()
	first, ready := in.draining == nil, in.ready
	if first {
		in.draining = make(chan struct{})
	}
	over := in.draining
	in.mu.Unlock()
	if first {
		go func() {
			defer close(over)
			defer in.cancel()
			own, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
			defer cancel()
			if in.talk != nil {
				in.talk.waitIdle(own)
			}
			if ready && in.own.drain != nil {
				if err := in.guard("Drain", func() error { return in.own.drain(own) }); err != nil {
					in.log.Error("plugin could not drain", "err", err)
				}
			}
		}()
	}
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// guard calls f and makes an error of its panic.
func (in *instance) guard(what string, f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			in.log.Error("plugin panicked", "in", what, "panic", r, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic in %s: %v", what, r)
		}
	}()
	return f()
}

// serving tells whether the plugin is configured, and not failed.
func (in *instance) serving() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.ready
}

func init() {
	door.Register = func(s grpc.ServiceRegistrar, plugin any, log hclog.Logger) (door.Instance, error) {
		p, ok := plugin.(Plugin)
		if !ok {
			return nil, errors.New("not a *sdk.TalkPlugin, *sdk.FilterPlugin or *sdk.StorePlugin")
		}
		if log == nil {
			log = hclog.NewNullLogger()
		}
		in := newInstance(p, log)
		if in.faulty != nil {
			return nil, in.faulty
		}
		in.register(s)
		return in, nil
	}
	door.ServerOptions = serverOptions
}

// window is how much the host may send on a stream before this side has read.
const window = 1 << 20

// serverOptions are bounds on messages, and fixed windows, which spare both sides the pings that gRPC otherwise measures its bandwidth with.
func serverOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(pluginpb.MaxMessage), grpc.MaxSendMsgSize(pluginpb.MaxMessage),
		grpc.StaticStreamWindowSize(window), grpc.StaticConnWindowSize(2 * window),
		grpc.ForceServerCodecV2(newCodec()),
	}
}

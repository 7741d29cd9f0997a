package link

import (
	"github.com/discv5/host/sdk/pluginpb"
	"google.golang.org/grpc"
)

// window is how much a plugin may send on a stream before the host has read.
const window = 1 << 20

// DialOptions are what the connection to a plugin should be dialled with: bounds on messages, no idle timeout, and fixed
// windows, which spare both sides the pings that gRPC otherwise measures its bandwidth with.
func DialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(pluginpb.MaxMessage), grpc.MaxCallSendMsgSize(pluginpb.MaxMessage)),
		grpc.WithStaticStreamWindowSize(window),
		grpc.WithStaticConnWindowSize(2 * window),
		grpc.WithIdleTimeout(0),
		grpc.WithDisableRetry(),
		grpc.WithDisableServiceConfig(),
	}
}

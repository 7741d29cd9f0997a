package door

import (
	"context"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
)

// Instance is one served plugin, from its registration to its end. A plugin value is served once.
type Instance interface {
	// Done is closed when the plugin has drained because its lifeline, the Link stream, ended or because it was told to. A
	// process would exit now.
	Done() <-chan struct{}
	// Stop does what SIGTERM does to a process: drain, within ctx, then Done. It may be called at any time, more than once.
	Stop(ctx context.Context)
}

// Register serves a plugin of package sdk on a gRPC server: the services of its kind, Plugin and Host. The server must not
// serve yet; ServerOptions are what it should have been made with. A plugin that is badly made is an error that says everything
// that is wrong with it. What the plugin logs goes to log, nil: nowhere.
var Register func(s grpc.ServiceRegistrar, plugin any, log hclog.Logger) (Instance, error)

// ServerOptions are the options of a plugin's gRPC server.
var ServerOptions func() []grpc.ServerOption

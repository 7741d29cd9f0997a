package sdk

import (
	"errors"

	"github.com/discv5/host/sdk/internal/door"
	"github.com/discv5/host/sdk/pluginpb"
	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
)

// Serve runs a plugin for the host that started this process, and ends the process when the host says so, is gone or sent SIGTERM. It
// does not return. main calls it and nothing else.
//
// A program that is started by hand tells what it is and how to enable it, and exits with status 1.
func Serve(p Plugin) {}

type link struct{}

func init() {
	door.Register = func(s grpc.ServiceRegistrar, plugin any, log hclog.Logger) (door.Instance, error) {
		return nil, errors.New("not a plugin of package sdk")
	}
	door.ServerOptions = func() []grpc.ServerOption {
		return []grpc.ServerOption{grpc.MaxRecvMsgSize(pluginpb.MaxMessage), grpc.MaxSendMsgSize(pluginpb.MaxMessage)}
	}
}

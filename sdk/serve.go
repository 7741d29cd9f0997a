package sdk

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/discv5/host/sdk/pluginpb"
	"github.com/discv5/host/sdk/processors"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

const (
	parentCheck = 250 * time.Millisecond // how often, until the link is open
	exitTime    = 300 * time.Millisecond // for the end of the server, after the drain
)

// Serve runs a plugin for the host that started this process, and ends the process when the host says so, is gone or sent SIGTERM. It
// does not return. main calls it and nothing else.
//
// Standard error of the process goes to the host's log, line by line, up to the last one before its end; Host.Log is better. os.Stdout is
// the same from Start on. A program that is started by hand tells what it is and how to enable it, and exits with status 1.
func Serve(p Plugin) {
	if os.Getenv(pluginpb.MagicCookieKey) != pluginpb.MagicCookieValue {
		path, err := os.Executable()
		if err != nil {
			path = os.Args[0]
		}
		fmt.Fprint(os.Stderr, byHand(p, path))
		os.Exit(1)
	}
	parent := os.Getppid()
	log := hclog.New(&hclog.LoggerOptions{Output: os.Stderr, JSONFormat: true, Level: logLevel()})
	in := newInstance(p, log)
	own := &outputs{stderr: os.Stderr}
	in.serves = own.restore
	if in.faulty != nil {
		log.Error("the plugin is badly made", "err", in.faulty)
	}

	terms := make(chan os.Signal, 1)
	signal.Notify(terms, syscall.SIGTERM)
	go func() {
		<-terms
		in.stopWithin(drainTime)
	}()
	go in.watchParent(parent)
	processors.Follow(in.Done())

	served := false
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: plugin.HandshakeConfig{
			ProtocolVersion:  pluginpb.ProtocolVersion,
			MagicCookieKey:   pluginpb.MagicCookieKey,
			MagicCookieValue: pluginpb.MagicCookieValue,
		},
		Plugins: plugin.PluginSet{pluginpb.PluginKey: &goPlugin{in: in}},
		GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
			served = true
			s := grpc.NewServer(append(options, serverOptions()...)...)
			go func() {
				<-in.Done()
				time.AfterFunc(exitTime, func() { os.Exit(0) })
				s.Stop() // plugin.Serve returns, and has removed its socket
			}()
			return s
		},
		Logger: log.With("in", "go-plugin"),
	})
	if !served { // it has logged why
		os.Exit(1)
	}
	in.stopWithin(orphanedTime) // the host stopped the server
	runtime.KeepAlive(own)
	os.Exit(0)
}

// logLevel is the least level that the host wants to see.
func logLevel() hclog.Level {
	if level := hclog.LevelFromString(os.Getenv(pluginpb.EnvLogLevel)); level != hclog.NoLevel {
		return level
	}
	return hclog.Debug
}

// watchParent ends the plugin when the process that started it has gone before it opened the link.
func (in *instance) watchParent(parent int) {
	tick := time.NewTicker(parentCheck)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if os.Getppid() != parent {
				in.stopWithin(orphanedTime)
				return
			}
		case <-in.link.opened:
			return
		case <-in.done:
			return
		}
	}
}

// goPlugin is the plugin as go-plugin sees it.
type goPlugin struct {
	plugin.NetRPCUnsupportedPlugin
	in *instance
}

// GRPCServer registers the plugin's services.
func (g *goPlugin) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	g.in.register(s)
	return nil
}

// GRPCClient is the host's side, which is elsewhere.
func (g *goPlugin) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, fmt.Errorf("package sdk is the plugin's side")
}

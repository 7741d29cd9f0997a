package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/hashicorp/go-hclog"
)

const (
	minToken     = 16 // bytes of a token; fewer can be guessed
	defaultGrace = 5 * time.Minute
)

// Config says what to serve and where. Node and one of Socket and TCP are required.
type Config struct {
	Node    Node
	Plugins Plugins // nil: there are none
	// Feed has the events; nil makes one, which hears only of the node. A feed serves one server.
	Feed *Feed
	// Reload takes in the configuration anew. The server makes one reload at a time and tells its Feed of it; whoever reloads beside the
	// server tells the Feed by itself. ctx ends with the server, not with who asked. nil: there is nothing to reload.
	Reload func(ctx context.Context) (ReloadResult, error)
	// ReloadPlugin is Reload for the block of one plugin, which is replaced in any case; nil: the plugin is restarted as it is configured.
	ReloadPlugin func(ctx context.Context, plugin string) (ReloadResult, error)
	// LogLevel and SetLogLevel are the least important messages that are logged; nil: that cannot be known or changed.
	LogLevel    func() string
	SetLogLevel func(level string) error
	// Compile makes a predicate of a filter expression. The predicate is called by several goroutines. nil: nodes cannot be filtered.
	Compile func(text string) (func(*enode.Node) bool, error)
	// Metrics is served at /metrics; nil: there is none.
	Metrics http.Handler
	Version string // of the host, for its status

	// Socket is the path of a unix socket, which only the owner of the process can use; empty: none. SocketPath is the usual one. One of
	// that name whose path is too long for a socket is among the temporary files, and Dial looks for it there.
	Socket string
	// TCP is the address of another listener, which asks for Token; the zero value: none. Port 0 takes a free one.
	TCP netip.AddrPort
	// Token is what requests over TCP carry as "Authorization: Bearer"; at least 16 bytes.
	Token string
	// Remote allows an address for TCP that other machines reach. There is no encryption.
	Remote bool

	// Grace is how long the table may be without a node that answers before the host is not ready; 5 min.
	Grace time.Duration
	// Log takes what an operator should know; nil discards it.
	Log hclog.Logger

	headTimeout time.Duration // tests are quicker
}

// Validate reports everything that is wrong with a configuration, joined.
func (c *Config) Validate() error {
	var errs []error
	bad := func(what, advice string) { errs = append(errs, hint.New("admin: "+what, advice)) }
	if c.Node == nil {
		bad("there is no node to serve", "")
	}
	if c.Socket == "" && !c.TCP.IsValid() {
		bad("there is nothing to listen on", "give a socket or an address")
	}
	if c.Socket != "" {
		if err := checkSocketPath(c.Socket); err != nil {
			errs = append(errs, err)
		}
	}
	if c.TCP.IsValid() {
		if len(c.Token) < minToken {
			bad(fmt.Sprintf("TCP asks for a token of at least %d bytes, not %d", minToken, len(c.Token)), "the output of `openssl rand -hex 32` is a good one; keep it in a file")
		}
		if !c.Remote && !c.TCP.Addr().Unmap().IsLoopback() {
			bad(fmt.Sprintf("%v is reached from other machines", c.TCP), "listen on 127.0.0.1, or allow remote access if the network between is trusted: there is no encryption")
		}
	}
	if c.Grace < 0 {
		bad("the grace time is negative", "")
	}
	return errors.Join(errs...)
}

func (c *Config) setDefaults() {
	if c.Log == nil {
		c.Log = hclog.NewNullLogger()
	}
	if c.Feed == nil {
		c.Feed = NewFeed()
	}
	if c.headTimeout == 0 {
		c.headTimeout = headTimeout
	}
	if c.Grace == 0 {
		c.Grace = defaultGrace
	}
}

package sdk

import (
	"context"

	"github.com/discv5/host/sdk/pluginpb"
)

// Info is what a plugin tells about itself.
type Info struct {
	Name    string // of the program, 1 to 64 bytes
	Version string // of the program, at most 64 bytes
	Summary string // one sentence for people, at most 256 bytes

	// Exclusive: two of these must not run at the same time, because they share a file or the like. On a reload the host then
	// stops the old process before it starts the new one.
	Exclusive bool

	// Needs are the grants without which the plugin cannot work; the host does not start it without them. What it can do
	// without it asks for with Host.Granted.
	Needs []string
}

// Grants: what a plugin may ask of its host. Operators give them in config.hcl.
const (
	GrantSelf     = "self"     // Host.Self
	GrantPing     = "ping"     // Host.Ping
	GrantFindNode = "findnode" // Host.FindNode
	GrantTalk     = "talk"     // Host.Talk, TalkTo, TalkSend
	GrantLookup   = "lookup"   // Host.Lookup, LookupRandom
	GrantResolve  = "resolve"  // Host.Resolve, Node
	GrantClosest  = "closest"  // Host.Closest
	GrantSample   = "sample"   // Host.Sample
	GrantWatch    = "watch"    // Host.Watch
	GrantRecord   = "record"   // Host.SetFields
	GrantKV       = "kv"       // Host.KV
	GrantBan      = "ban"      // Host.Ban, BanPrefix, Unban, UnbanPrefix
	GrantMetrics  = "metrics"  // Host.Counter, Gauge
)

var grants = []string{GrantSelf, GrantPing, GrantFindNode, GrantTalk, GrantLookup, GrantResolve, GrantClosest, GrantSample,
	GrantWatch, GrantRecord, GrantKV, GrantBan, GrantMetrics}

// Plugin is a *TalkPlugin, a *FilterPlugin or a *StorePlugin.
type Plugin interface {
	common() common
	// check returns what is wrong with the part of the kind, and describe adds it to a description.
	check() []error
	describe(d *pluginpb.Description)
	kind() string
}

// common is what plugins of all kinds have.
type common struct {
	info   Info
	config any
	start  func(ctx context.Context, host *Host) error
	health func(ctx context.Context) error
	drain  func(ctx context.Context) error

	methods map[string]Method
}

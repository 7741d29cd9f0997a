package pluginpb

// The handshake of go-plugin: what a host sets in the environment of a plugin that it starts, and what the plugin's first
// line on stdout says. README.md has the whole of it.
const (
	// ProtocolVersion is the version of everything that the versions of single services cannot say. A plugin prints it as the
	// second field of its handshake line.
	ProtocolVersion = 1

	// MagicCookieKey is an environment variable that the host sets to MagicCookieValue, so that a program knows whether it was
	// started as a plugin or by hand. It protects nothing.
	MagicCookieKey   = "DISCV5_PLUGIN"
	MagicCookieValue = "discv5host"

	// PluginKey is the name of the one plugin in go-plugin's plugin set.
	PluginKey = "discv5"

	// MaxMessage is the most bytes of a gRPC message, both ways. Both sides set it, for sending and for receiving.
	MaxMessage = 4 << 20

	// MaxPeers bounds TalkPeer.number: numbers are below it.
	MaxPeers = 4096
)

// Environment variables of a plugin beside those of go-plugin.
const (
	// EnvPath is the path that the configuration names. The program may run from a copy of that file.
	EnvPath = "DISCV5_PLUGIN_PATH"
	// EnvLogLevel is the least level of log lines worth writing: trace, debug, info, warn or error. Unset: debug.
	EnvLogLevel = "DISCV5_PLUGIN_LOG_LEVEL"
)

// Full names of the services, as in Description.services.
const (
	PluginService  = "discv5host.plugin.v1.Plugin"
	TalkService    = "discv5host.talk.v1.Talk"
	FilterService  = "discv5host.filter.v1.Filter"
	StoreService   = "discv5host.store.v1.Store"
	MethodsService = "discv5host.rpc.v1.Methods"
	HostService    = "discv5host.host.v1.Host"
)

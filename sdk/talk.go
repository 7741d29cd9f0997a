package sdk

import (
	"context"
	"net/netip"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// TalkPlugin answers TALKREQ messages of one or more protocols.
type TalkPlugin struct {
	Info Info

	// Protocols are the protocols that it speaks, each by its exact bytes, 1 to 64 of them; at most 64 protocols. An operator
	// may choose some of them.
	Protocols []string

	// MaxInFlight is the most requests that it wants to have at a time. 0: the host decides.
	MaxInFlight int

	// Config is a pointer to a struct that describes the plugin's config block and holds its defaults; nil: it has none.
	// It is filled in before Start is called. README.md says which types and tags there are. If it has a method
	// Validate() error, that is called too, and its error shown to the operator.
	Config any

	// Start, if set, is called once, before the first request. The host waits for it. An error ends the plugin, and the host starts it again
	// later, unless the error is ErrNotGranted: then only another configuration helps. ctx is for the
	// whole life of the plugin, not only for Start: it ends when the plugin must stop.
	Start func(ctx context.Context, host *Host) error

	// Handler answers the requests.
	Handler TalkHandler

	// Methods are what operators can call through the host's JSON-RPC: "count" as "echo_count", when the label of the plugin's
	// block is "echo". Names are letters and digits, a letter first, at most 64 bytes; at most 64 methods.
	Methods map[string]Method

	// Health, if set, is called every few seconds. An error says that the plugin cannot work and restarts it when it is repeated;
	// one marked with Degraded asks for an operator's attention only.
	Health func(ctx context.Context) error

	// Drain, if set, is called at the end, after the last response, to write what the plugin keeps. ctx allows it at most 2 s.
	Drain func(ctx context.Context) error
}

// TalkRequest is a TALKREQ.
type TalkRequest struct {
	ID       enode.ID       // of the node that asks
	Addr     netip.AddrPort // it asks from here
	Node     *enode.Node    // its newest record that the host's session knows; nil if it told none
	Protocol string         // exact bytes
	Payload  []byte         // owned by the handler
	Deadline time.Time      // the host answers empty by itself then
}

// TalkHandler answers requests. ServeTalk runs on a goroutine of its own, many at a time, and returns the response's payload,
// at most 1177 bytes; the payload must not change after it returns. An error or a panic is logged by the host and makes the
// response empty. ctx ends at the deadline, when the host gave up waiting, and when ServeTalk returns.
type TalkHandler interface {
	ServeTalk(ctx context.Context, r *TalkRequest) ([]byte, error)
}

// TalkFunc is a function as a TalkHandler.
type TalkFunc func(ctx context.Context, r *TalkRequest) ([]byte, error)

// ServeTalk calls f.
func (f TalkFunc) ServeTalk(ctx context.Context, r *TalkRequest) ([]byte, error) { return f(ctx, r) }

func (p *TalkPlugin) common() common {
	return common{p.Info, p.Config, p.Start, p.Health, p.Drain, p.Methods}
}

func (p *TalkPlugin) kind() string { return "talk" }

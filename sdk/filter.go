package sdk

import (
	"context"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// FilterPlugin decides about node records.
type FilterPlugin struct {
	Info Info

	// Stages are where it makes sense; empty: anywhere. An operator chooses among them.
	Stages []Stage
	// Uniform says that Filter decides about a record in the same way at every stage. The host asks once, at one of the stages
	// where the operator uses it, and saves the others. A FilterFunc, which is not told the stage, is always uniform.
	Uniform bool

	Config any                                         // as in TalkPlugin
	Start  func(ctx context.Context, host *Host) error // as in TalkPlugin
	Filter Filter                                      // decides; a FilterFunc may be all that it takes
	Health func(ctx context.Context) error             // as in TalkPlugin
	Drain  func(ctx context.Context) error             // as in TalkPlugin

	Methods map[string]Method // as in TalkPlugin
}

// Stage is what a filter is asked for.
type Stage string

// Stages.
const (
	StageTable   Stage = "table"   // may the node enter the routing table
	StageServe   Stage = "serve"   // may it be relayed to other nodes
	StageDeliver Stage = "deliver" // may it be handed to lookups, plugins and the operator
)

// Filter decides about nodes.
//
// Decide writes the verdict about nodes[i] to out[i]; out is as long as nodes, 1 to 256, and abstains where nothing is written.
// It is called by one goroutine at a time and must not keep out. An error means that it could not decide about any of them: the
// operator's on_error does. So does a filter that is later than ctx allows. The host remembers verdicts and asks again when
// a record changed.
type Filter interface {
	Decide(ctx context.Context, stage Stage, nodes []*enode.Node, out []Verdict) error
}

// FilterFunc is a whole filter: it accepts the nodes for which it returns true and rejects the others, at any stage, for the
// reason "no_match". A node at which it panics is rejected for the reason "panic".
type FilterFunc func(*enode.Node) bool

// Verdict is what a filter says about a node. The zero Verdict abstains.
type Verdict struct {
	Decision Decision
	// Reason is a short code for counters, at most 32 of a-z, 0-9 and _. Other bytes become _. Use few different ones.
	Reason string
	// TTL is how long the verdict holds, in full seconds, rounded up; 0: as long as the record and the filter stay the same.
	TTL time.Duration
}

// Decision is the part of a verdict that counts.
type Decision uint8

// Decisions. A node must be accepted by every filter that does not abstain.
const (
	Abstain Decision = iota
	Accept
	Reject
)

// Accepted is a verdict that accepts.
func Accepted() Verdict { return Verdict{Decision: Accept} }

// Rejected is a verdict that rejects for a reason.
func Rejected(reason string) Verdict { return Verdict{Decision: Reject, Reason: reason} }

func (p *FilterPlugin) common() common {
	return common{p.Info, p.Config, p.Start, p.Health, p.Drain, p.Methods}
}

func (p *FilterPlugin) kind() string { return "filter" }

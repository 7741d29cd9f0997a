package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// Stage is where a filter is asked about a node.
type Stage uint8

// The stages.
const (
	StageTable   Stage = iota // may it enter the routing table
	StageServe                // may it be relayed in NODES
	StageDeliver              // may it be handed to lookups, plugins and the API
	numStages
)

// String returns the name as it appears in configuration and metrics.
func (s Stage) String() string {
	return [...]string{"table", "serve", "deliver", "unknown"}[min(s, numStages)]
}

// Decision is what a filter says about a node.
type Decision uint8

// The decisions. A node passes a stage when no filter of it rejects.
const (
	Abstain Decision = iota
	Accept
	Reject
)

// String returns the name as it appears in metrics.
func (d Decision) String() string {
	return [...]string{"abstain", "accept", "reject", "unknown"}[min(d, Reject+1)]
}

// Verdict is the decision of a filter about one record.
type Verdict struct {
	Decision Decision
	Reason   string        // short code: at most 32 of a-z, 0-9 and _
	TTL      time.Duration // how long it holds, at least 5 s; 0: as long as the record and the filter stay the same
}

// Filter decides about nodes. Decide sets out[i] for nodes[i], at most MaxFilterBatch of them, and returns before ctx ends;
// an error or a panic counts as no decision on any of them. It is called by one goroutine per filter, and keeps neither
// slice. A filter that is late is not asked again until it returns; what it says then still counts.
type Filter interface {
	Decide(ctx context.Context, stage Stage, nodes []*enode.Node, out []Verdict) error
}

// MaxFilterBatch is how many nodes a filter is asked about at a time.
const MaxFilterBatch = 256

// FilterConfig is a filter and how it is used.
type FilterConfig struct {
	Name   string // in logs, metrics and explanations; every filter has another
	Filter Filter
	Stages []Stage // at least one
	// Uniform says that the filter decides in the same way at every stage: it is asked once about a record, at one of
	// Stages, and the verdict holds for all of them.
	Uniform bool
	// OnError is the decision when the filter fails or is late; Abstain means Accept.
	OnError Decision
	// DryRun asks the filter and counts what it says, but lets every node pass.
	DryRun bool
	// Deadline is how long a decision may take; 300 ms.
	Deadline time.Duration
}

// validateFilters reports what is wrong with filters, joined.
func validateFilters(filters []FilterConfig) error {
	var errs []error
	for i, f := range filters {
		bad := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("core: filter %q: "+format, append([]any{f.Name}, args...)...))
		}
		if f.Name == "" {
			bad("no name")
		}
		if slices.IndexFunc(filters, func(g FilterConfig) bool { return g.Name == f.Name }) != i {
			bad("the second of this name")
		}
		if f.Filter == nil {
			bad("there is no filter")
		}
		if len(f.Stages) == 0 {
			bad("no stage")
		}
		for _, s := range f.Stages {
			if s >= numStages {
				bad("unknown stage %d", s)
			}
		}
		if f.OnError > Reject {
			bad("unknown decision %d on errors", f.OnError)
		}
		if f.Deadline < 0 {
			bad("deadline is negative")
		}
	}
	return errors.Join(errs...)
}

const (
	// minVerdictTTL is the shortest time that a verdict holds.
	minVerdictTTL = 5 * time.Second
	// maxReason bounds the bytes of a reason.
	maxReason = 32
)

// tidied returns a verdict as it may be kept. It reports false for one that makes no sense.
func (v Verdict) tidied() (Verdict, bool) {
	if v.Decision > Reject {
		return Verdict{}, false
	}
	if v.TTL != 0 {
		v.TTL = max(v.TTL, minVerdictTTL)
	}
	strange := func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9') }
	if len(v.Reason) > maxReason || slices.ContainsFunc([]rune(v.Reason), strange) {
		v.Reason = "unreadable"
	}
	return v, true
}

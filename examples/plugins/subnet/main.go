package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/discv5/host/sdk"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

func main() { sdk.Serve(plugin()) }

// config is the plugin's config block.
type config struct {
	Nodes    int           `hcl:"nodes,optional" doc:"how many nodes of one network are accepted"`
	Bits4    int           `hcl:"bits4,optional" doc:"length of an IPv4 network's prefix"`
	Bits6    int           `hcl:"bits6,optional" doc:"length of an IPv6 network's prefix"`
	Remember time.Duration `hcl:"remember,optional" doc:"how long a node keeps its place without being asked about"`
}

// Validate says what is wrong with the configuration.
func (c *config) Validate() error {
	var errs []error
	if c.Nodes < 1 || c.Nodes > maxEach {
		errs = append(errs, fmt.Errorf("nodes is %d; 1 to %d is possible", c.Nodes, maxEach))
	}
	if c.Bits4 < 1 || c.Bits4 > 32 {
		errs = append(errs, fmt.Errorf("bits4 is %d; 1 to 32 is possible", c.Bits4))
	}
	if c.Bits6 < 1 || c.Bits6 > 128 {
		errs = append(errs, fmt.Errorf("bits6 is %d; 1 to 128 is possible", c.Bits6))
	}
	if c.Remember < time.Minute || c.Remember > 30*24*time.Hour {
		errs = append(errs, fmt.Errorf("remember is %s; 1m to 720h is possible", c.Remember))
	}
	return errors.Join(errs...)
}

func plugin() sdk.Plugin {
	f := &filter{config: config{Nodes: 10, Bits4: 16, Bits6: 32, Remember: time.Hour}, now: time.Now}
	return &sdk.FilterPlugin{
		Info: sdk.Info{Name: "subnet", Version: "1.0.0", Summary: "Accepts at most so many nodes of one network of addresses."},
		// It answers alike at every stage, so that a node has one place.
		Config: &f.config,
		Start: func(context.Context, *sdk.Host) error {
			f.places = newPlaces(f.config.Nodes, f.config.Remember)
			return nil
		},
		Filter: f,
	}
}

// filter decides with what it remembers. The SDK asks it from one goroutine at a time, so it needs no lock.
type filter struct {
	config config
	now    func() time.Time
	places *places
}

// Decide gives each node a place in its network, if there is one.
func (f *filter) Decide(_ context.Context, _ sdk.Stage, nodes []*enode.Node, out []sdk.Verdict) error {
	now := f.now()
	for i, n := range nodes {
		network, ok := f.network(n.IPAddr())
		if !ok {
			out[i] = sdk.Rejected("no_address")
			continue
		}
		switch got, retry := f.places.take(network, n.ID(), now); got {
		case taken:
			// The host asks again before this verdict ends, which renews the place.
			out[i] = sdk.Verdict{Decision: sdk.Accept, TTL: f.config.Remember / 2}
		case full:
			out[i] = sdk.Verdict{Decision: sdk.Reject, Reason: "full", TTL: retry}
		default:
			out[i] = sdk.Verdict{Decision: sdk.Reject, Reason: "no_memory", TTL: retry}
		}
	}
	return nil
}

// network is the network of an address.
func (f *filter) network(a netip.Addr) (netip.Prefix, bool) {
	a = a.Unmap()
	bits := f.config.Bits6
	if a.Is4() {
		bits = f.config.Bits4
	}
	p, err := a.WithZone("").Prefix(bits)
	return p, err == nil && a.IsValid()
}

package main

import (
	"context"
	"strconv"

	"github.com/discv5/host/sdk"
)

func main() { sdk.Serve(plugin()) }

// protocol is what TALKREQs carry, and fieldKey the record field by which counters find each other.
const (
	protocol = "counter"
	fieldKey = "counter"
)

// config is the plugin's config block.
type config struct {
	Ask bool `hcl:"ask,optional" doc:"ask other counters that the host meets how often they were asked"`
}

func plugin() sdk.Plugin {
	c := &counter{config: config{Ask: true}, counts: make(map[string]uint64)}
	return &sdk.TalkPlugin{
		Info: sdk.Info{
			Name: "counter", Version: "1.0.0", Summary: "Answers each request with how often that node has asked.",
			Needs: []string{sdk.GrantKV, sdk.GrantRecord},
		},
		Protocols: []string{protocol},
		Config:    &c.config,
		Start:     c.start,
		Handler:   sdk.TalkFunc(c.serve),
		Health:    c.health,
		Drain:     c.save,
	}
}

// serve counts a request and answers with the count, in decimal digits.
func (c *counter) serve(_ context.Context, r *sdk.TalkRequest) ([]byte, error) {
	return strconv.AppendUint(nil, c.count(r.ID.String()), 10), nil
}

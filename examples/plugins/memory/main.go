package main

import (
	"errors"
	"time"

	"github.com/discv5/host/sdk"
)

func main() { sdk.Serve(plugin()) }

// config is the plugin's config block, with its defaults.
type config struct {
	MaxEntries int `hcl:"max_entries,optional" doc:"how many entries it keeps at most"`
}

// Validate says what is wrong with the configuration.
func (c *config) Validate() error {
	if c.MaxEntries < 1 {
		return errors.New("max_entries must be at least 1")
	}
	return nil
}

func plugin() sdk.Plugin {
	c := config{MaxEntries: 100_000}
	return &sdk.StorePlugin{
		Info:   sdk.Info{Name: "memory", Version: "1.0.0", Summary: "Keeps what the host remembers in memory, until it stops."},
		Config: &c,
		Store:  &store{config: &c, now: time.Now},
	}
}

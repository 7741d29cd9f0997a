package forks

import (
	"embed"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// Schedules are those of several networks, by name. They do not change and may be used concurrently.
type Schedules struct{ networks map[string]*Network }

//go:embed networks.hcl
var files embed.FS

var embedded = sync.OnceValues(func() (*Schedules, error) {
	src, err := files.ReadFile("networks.hcl")
	if err != nil {
		return nil, err
	}
	return Parse("networks.hcl", src)
})

// Default returns the schedules of mainnet, sepolia and hoodi that come with this package.
func Default() *Schedules {
	s, err := embedded()
	if err != nil {
		panic(fmt.Sprintf("forks: the embedded schedules: %v", err)) // a test reads them
	}
	return s
}

// Network returns the schedule of a network.
func (s *Schedules) Network(name string) (*Network, bool) {
	n, ok := s.networks[name]
	return n, ok
}

// Names returns the names of the networks, sorted.
func (s *Schedules) Names() []string { return slices.Sorted(maps.Keys(s.networks)) }

// With returns the schedules of both; where both have a network, it is that of over.
func (s *Schedules) With(over *Schedules) *Schedules {
	out := maps.Clone(s.networks)
	maps.Copy(out, over.networks)
	return &Schedules{out}
}

// WithGrace returns the same schedules with another grace window, 0 to MaxGrace.
func (s *Schedules) WithGrace(d time.Duration) *Schedules {
	out := make(map[string]*Network, len(s.networks))
	for name, n := range s.networks {
		c := *n
		c.grace = min(max(d, 0), MaxGrace)
		out[name] = &c
	}
	return &Schedules{out}
}

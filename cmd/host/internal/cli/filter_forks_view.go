package cli

import (
	"time"

	"github.com/discv5/host/sdk/forks"
)

// networkForks is what a network accepts, as JSON.
type networkForks struct {
	Network string      `json:"network"`
	Grace   float64     `json:"graceSeconds"`
	At      time.Time   `json:"at"`
	Eth2    []eth2Fork  `json:"eth2"` // accepted now, in their order, and later
	Eth     []ethForkID `json:"eth"`  // of nodes in sync, now and after the next fork
}

type eth2Fork struct {
	Fork     string     `json:"fork"`
	Digest   string     `json:"digest"`
	Version  string     `json:"version"`
	Epoch    uint64     `json:"epoch"`
	Start    time.Time  `json:"start"`
	From     *time.Time `json:"from,omitempty"`  // accepted from then on; without: always before
	Until    *time.Time `json:"until,omitempty"` // accepted before that; without: always after
	Accepted bool       `json:"accepted"`
	Current  bool       `json:"current"`
}

type ethForkID struct {
	Fork     string     `json:"fork"`
	Hash     string     `json:"hash"`
	Next     uint64     `json:"next"`
	From     *time.Time `json:"from,omitempty"`
	Until    *time.Time `json:"until,omitempty"`
	Accepted bool       `json:"accepted"`
	Current  bool       `json:"current"`
}

func newNetworkForks(n *forks.Network, now time.Time) networkForks {
	v := networkForks{Network: n.Name, Grace: n.Grace().Seconds(), At: now.UTC(), Eth2: []eth2Fork{}, Eth: []ethForkID{}}
	state := n.At(now)
	if state.Eth2 != nil {
		for _, f := range state.Eth2.Forks {
			v.Eth2 = append(v.Eth2, eth2Fork{
				Fork: f.Name, Digest: f.Digest.String(), Version: f.Version.String(), Epoch: f.Epoch, Start: f.Start.UTC(),
				From: given(f.From), Until: given(f.To), Accepted: f.Accepted, Current: f.Current,
			})
		}
	}
	if e := state.Eth; e != nil {
		v.Eth = append(v.Eth, ethForkID{Fork: e.Fork, Hash: e.ID.Hash.String(), Next: e.ID.Next, Until: given(e.At), Accepted: true, Current: true})
		if e.Next != "" {
			// EIP-2124 accepts who is ahead on the same forks.
			v.Eth = append(v.Eth, ethForkID{Fork: e.Next, Hash: e.NextID.Hash.String(), Next: e.NextID.Next, From: given(e.At), Accepted: true})
		}
	}
	return v
}

func given(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

package main

import (
	"net/netip"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// maxPlaces bounds how many nodes are remembered, whatever strangers do: about 10 MB.
const maxPlaces = 1 << 16

// maxEach bounds the nodes of one network: all of them are gone through for each that is turned away.
const maxEach = 4096

// minRetry is the shortest time after which a node that was turned away is asked about again.
const minRetry = 30 * time.Second

// places remember which nodes were accepted, by network, until when.
type places struct {
	each     int // nodes of one network
	remember time.Duration
	networks map[netip.Prefix]map[enode.ID]time.Time
	count    int
	swept    time.Time
}

func newPlaces(each int, remember time.Duration) *places {
	return &places{each: each, remember: remember, networks: make(map[netip.Prefix]map[enode.ID]time.Time)}
}

// outcome is what became of a node.
type outcome int

const (
	taken  outcome = iota // it has a place
	full                  // its network has none left
	crowds                // nothing more can be remembered
)

// take gives a node a place in a network, or renews the one that it has. Otherwise it says how long to wait until one may be free.
func (p *places) take(network netip.Prefix, id enode.ID, now time.Time) (got outcome, retry time.Duration) {
	nodes := p.networks[network]
	if until, has := nodes[id]; has && now.Before(until) {
		nodes[id] = now.Add(p.remember)
		return taken, 0
	}
	first := p.sweep(nodes, now)
	if len(nodes) >= p.each {
		return full, max(first.Sub(now), minRetry)
	}
	if p.count >= maxPlaces {
		p.sweepAll(now)
		if p.count >= maxPlaces {
			return crowds, minRetry
		}
		nodes = p.networks[network] // the sweep may have taken it away
	}
	if nodes == nil {
		nodes = make(map[enode.ID]time.Time)
		p.networks[network] = nodes
	}
	nodes[id] = now.Add(p.remember)
	p.count++
	return taken, 0
}

// sweep forgets the nodes of a network whose time is over, and returns when that of the next one is.
func (p *places) sweep(nodes map[enode.ID]time.Time, now time.Time) (first time.Time) {
	for id, until := range nodes {
		switch {
		case !now.Before(until):
			delete(nodes, id)
			p.count--
		case first.IsZero() || until.Before(first):
			first = until
		}
	}
	return first
}

// sweepAll forgets in all networks, once in a minRetry at most: it takes long, and is done when strangers are many.
func (p *places) sweepAll(now time.Time) {
	if now.Sub(p.swept) < minRetry {
		return
	}
	p.swept = now
	for network, nodes := range p.networks {
		if p.sweep(nodes, now); len(nodes) == 0 {
			delete(p.networks, network)
		}
	}
}

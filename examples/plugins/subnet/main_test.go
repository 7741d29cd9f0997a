package main

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/discv5/host/sdk"
	"github.com/discv5/host/sdk/sdktest"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// Nodes of one network take the places there are, at any stage and in any number of calls, and keep them.
func TestPlacesOfANetwork(t *testing.T) {
	p := sdktest.Start(t, plugin(), sdktest.Config(map[string]any{"nodes": 2, "bits4": 24}))
	at := func(number uint32, addr string) *enode.Node {
		return sdktest.Node(number, netip.MustParseAddrPort(addr))
	}
	a, b, c := at(1, "203.0.113.1:30303"), at(2, "203.0.113.2:30303"), at(3, "203.0.113.3:30303")
	other, six := at(4, "203.0.114.1:30303"), at(5, "[2001:db8::1]:30303")
	for i, step := range []struct {
		stage sdk.Stage
		nodes []*enode.Node
		want  string
	}{
		{sdk.StageTable, []*enode.Node{a}, "ok"},
		{sdk.StageServe, []*enode.Node{a, a}, "ok ok"},
		{sdk.StageTable, []*enode.Node{b, c, other, six}, "ok full ok ok"},
		{sdk.StageDeliver, []*enode.Node{c, a, b}, "full ok ok"},
		{sdk.StageTable, []*enode.Node{sdktest.Node(6, netip.AddrPort{})}, "no_address"},
	} {
		verdicts, err := p.Decide(step.stage, step.nodes...)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, v := range verdicts {
			if v.Decision == sdk.Accept && v.TTL > 0 {
				v.Reason = "ok"
			}
			got = append(got, v.Reason)
		}
		if strings.Join(got, " ") != step.want {
			t.Errorf("step %d: %s, want %s", i, got, step.want)
		}
	}
}

// A place that is not renewed is free again, and the verdict of who was turned away ends then.
func TestPlacesExpire(t *testing.T) {
	p := newPlaces(1, time.Hour)
	network, start := netip.MustParsePrefix("203.0.0.0/16"), time.Unix(1_000_000, 0)
	a, b := enode.ID{1}, enode.ID{2}
	for i, step := range []struct {
		id    enode.ID
		after time.Duration
		want  outcome
		retry time.Duration
	}{
		{a, 0, taken, 0},
		{b, 10 * time.Minute, full, 50 * time.Minute},
		{a, 30 * time.Minute, taken, 0},
		{b, 60 * time.Minute, full, 30 * time.Minute},
		{b, 90*time.Minute - time.Second, full, minRetry},
		{b, 90 * time.Minute, taken, 0},
		{a, 91 * time.Minute, full, 59 * time.Minute},
	} {
		if got, retry := p.take(network, step.id, start.Add(step.after)); got != step.want || retry != step.retry {
			t.Errorf("step %d: %v, %v; want %v, %v", i, got, retry, step.want, step.retry)
		}
	}
	if p.count != 1 {
		t.Errorf("%d places", p.count)
	}
}

// However many networks strangers come from, memory is bounded, and what is over makes room.
func TestMemoryIsBounded(t *testing.T) {
	p := newPlaces(1, time.Hour)
	network := func(i int) netip.Prefix {
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], uint32(i)<<8)
		return netip.PrefixFrom(netip.AddrFrom4(a), 24)
	}
	now := time.Unix(1_000_000, 0)
	for i := range maxPlaces {
		if got, _ := p.take(network(i), enode.ID{}, now); got != taken {
			t.Fatalf("network %d: %v", i, got)
		}
	}
	if got, retry := p.take(network(maxPlaces), enode.ID{}, now); got != crowds || retry != minRetry || p.count != maxPlaces {
		t.Errorf("one more: %v, %v, %d places", got, retry, p.count)
	}
	now = now.Add(2 * time.Hour)
	if got, _ := p.take(network(maxPlaces), enode.ID{}, now); got != taken || p.count != 1 || len(p.networks) != 1 {
		t.Errorf("later: %v, %d places in %d networks", got, p.count, len(p.networks))
	}
}

func TestWrongConfig(t *testing.T) {
	for _, tc := range []struct {
		key   string
		value any
	}{{"nodes", 0}, {"nodes", maxEach + 1}, {"bits4", 33}, {"bits6", 0}, {"remember", time.Second}} {
		_, err := sdktest.Try(t, sdktest.Source{New: plugin}, sdktest.Config(map[string]any{tc.key: tc.value}))
		if want := fmt.Sprintf("%s is %v; ", tc.key, tc.value); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestConformance(t *testing.T) {
	sdktest.Conformance(t, sdktest.Source{New: plugin, Config: map[string]any{"nodes": 3}})
}

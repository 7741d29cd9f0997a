package main

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/discv5/host/sdk"
	"github.com/discv5/host/sdk/sdktest"
	"github.com/ethereum/go-ethereum/p2p/enr"
)

func TestDecisions(t *testing.T) {
	p := sdktest.Start(t, plugin(), sdktest.Config(map[string]any{
		"allow": []string{"203.0.113.7/24", "2001:db8::/32"}, "deny": []string{"203.0.113.128/25"},
	}))
	both := netip.MustParseAddr("2001:db8::1")
	for i, test := range []struct {
		addr   string
		extra  []enr.Entry
		reason string
	}{
		{"203.0.113.1:30303", nil, ""},
		{"203.0.113.200:30303", nil, "denied"},
		{"198.51.100.1:30303", nil, "not_allowed"},
		{"[2001:db8:1::1]:30303", nil, ""},
		{"[2001:db9::1]:30303", nil, "not_allowed"},
		{"198.51.100.1:30303", []enr.Entry{enr.IPv6Addr(both)}, ""},
		{"203.0.113.200:30303", []enr.Entry{enr.IPv6Addr(both)}, "denied"},
		{"", nil, "no_address"},
	} {
		var endpoint netip.AddrPort
		if test.addr != "" {
			endpoint = netip.MustParseAddrPort(test.addr)
		}
		got, err := p.Decide(sdk.StageTable, sdktest.Node(uint32(i), endpoint, test.extra...))
		if err != nil {
			t.Fatal(err)
		}
		if accepted := got[0].Decision == sdk.Accept; accepted != (test.reason == "") || got[0].Reason != test.reason {
			t.Errorf("%s: %+v, not %q", test.addr, got[0], test.reason)
		}
	}
}

func TestAllowsEverythingByDefault(t *testing.T) {
	got, err := sdktest.Start(t, plugin()).Decide(sdk.StageServe, sdktest.Node(1, sdktest.Endpoint(1)))
	if err != nil || got[0].Decision != sdk.Accept {
		t.Error(got, err)
	}
}

func TestWrongRanges(t *testing.T) {
	config := sdktest.Config(map[string]any{"allow": []string{"10.0.0.1"}, "deny": []string{"10.0.0.0/33", "::/0"}})
	_, err := sdktest.Try(t, sdktest.Source{New: plugin}, config)
	for _, want := range []string{`allow: "10.0.0.1"`, `deny: "10.0.0.0/33"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error %v does not tell of %s", err, want)
		}
	}
}

func TestConformance(t *testing.T) {
	sdktest.Conformance(t, sdktest.Source{New: plugin, Config: map[string]any{"deny": []string{"192.0.2.0/24"}}})
}

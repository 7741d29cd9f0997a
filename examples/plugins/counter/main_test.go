package main

import (
	"testing"

	"github.com/discv5/host/sdk"
	"github.com/discv5/host/sdk/sdktest"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
)

// ask asks as a node and returns the answer.
func ask(t *testing.T, p *sdktest.Plugin, node uint32) string {
	t.Helper()
	answer, err := p.TalkFrom(sdktest.Node(node, sdktest.Endpoint(node)), protocol, nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

func TestCountsEachNode(t *testing.T) {
	p := sdktest.Start(t, plugin(), sdktest.Grants(sdk.GrantKV, sdk.GrantRecord, sdk.GrantMetrics))
	for i, want := range []string{"1", "2", "3"} {
		if got := ask(t, p, 1); got != want {
			t.Errorf("request %d was answered %q", i, got)
		}
	}
	if got := ask(t, p, 2); got != "1" {
		t.Errorf("the first request of another node was answered %q", got)
	}
	if n, ok := p.Metric("requests_total"); n != 4 || !ok {
		t.Errorf("the metric says %v", n)
	}
}

func TestRemembers(t *testing.T) {
	host := sdktest.NewHost()
	first := sdktest.Start(t, plugin(), sdktest.WithHost(host))
	ask(t, first, 1)
	ask(t, first, 1)
	first.Drain()
	first.Stop()
	second := sdktest.Start(t, plugin(), sdktest.WithHost(host))
	if got := ask(t, second, 1); got != "3" {
		t.Errorf("after a restart a request was answered %q, not 3", got)
	}
}

func TestSaysThatItIsThere(t *testing.T) {
	p := sdktest.Start(t, plugin())
	if value, ok := p.Host.Field(fieldKey); !ok || string(value) != "\x01" {
		t.Errorf("the record has the field %x", value)
	}
}

func TestAsksOtherCounters(t *testing.T) {
	host := sdktest.NewHost()
	host.OnTalk(func(_ enode.ID, asked string, _ []byte) ([]byte, error) {
		if asked != protocol {
			t.Errorf("it asked for %q", asked)
		}
		return []byte("7"), nil
	})
	p := sdktest.Start(t, plugin(), sdktest.WithHost(host),
		sdktest.Grants(sdk.GrantKV, sdk.GrantRecord, sdk.GrantWatch, sdk.GrantTalk))
	counter := sdktest.Node(2, sdktest.Endpoint(2), enr.WithEntry(fieldKey, uint64(1)))
	for _, n := range []*enode.Node{sdktest.Node(1, sdktest.Endpoint(1)), counter} {
		if err := host.Emit(sdk.Event{Kind: sdk.NodeVerified, Node: n}); err != nil {
			t.Fatal(err)
		}
	}
	calls, err := host.WaitCalls("talk", 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(calls) != 1 || calls[0].Node != counter.ID() {
		t.Errorf("it asked %v, not the counter alone", calls)
	}
	p.WaitLog("asked another counter")
}

func TestStoreThatFails(t *testing.T) {
	p := sdktest.Start(t, plugin())
	ask(t, p, 1)
	p.Host.Fail(sdk.GrantKV, sdk.ErrUnavailable)
	p.Drain()
	if health := p.Health(); health == "" {
		t.Error("it says that all is well")
	}
}

func TestConformance(t *testing.T) { sdktest.Conformance(t, sdktest.Source{New: plugin}) }

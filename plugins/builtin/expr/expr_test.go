package expr

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/discv5/host/sdk"
	"github.com/discv5/host/sdk/fields"
	"github.com/discv5/host/sdk/sdktest"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
)

func onFork(number uint32, digest fields.Bytes4) *enode.Node {
	return sdktest.Node(number, sdktest.Endpoint(number), fields.Eth2{ForkDigest: digest, NextForkEpoch: fields.FarFutureEpoch})
}

func TestExpressions(t *testing.T) {
	plain := sdktest.Node(1, sdktest.Endpoint(1))
	eth2 := sdktest.Node(2, sdktest.Endpoint(2), enr.WithEntry("eth2", []byte{1, 2, 3, 4}), enr.WithEntry("no value", []byte{}))
	for _, test := range []struct {
		expression  string
		plain, eth2 string // reasons of a rejection
	}{
		{"true", "", ""},
		{" false ", "no_match", "no_match"},
		{`has("eth2")`, "eth2", ""},
		{`has("no value")`, "no_value", ""},
		{` has ( "eth2" ) `, "eth2", ""},
		{`has("udp")`, "", ""},
		{`has("eth")`, "eth", "eth"},
		{`enr.eth2.fork_digest == "0xb5303f2a"`, "no_eth2", "bad_eth2"},
		{`fork("mainnet").accepts(enr)`, "fork_none", "fork_none"},
		{`1 / (udp - udp) == 1`, "error", "error"},
	} {
		p := sdktest.Start(t, Plugin(), sdktest.Config(map[string]any{"expression": test.expression}))
		got, err := p.Decide(sdk.StageTable, plain, eth2)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []string{test.plain, test.eth2} {
			if v := got[i]; (v.Decision == sdk.Accept) != (want == "") || v.Decision == sdk.Abstain || v.Reason != want || v.TTL != 0 {
				t.Errorf("%s: node %d has the verdict %+v, want %q", test.expression, i, v, want)
			}
		}
	}
}

func TestReasonOfTheConfiguration(t *testing.T) {
	p := sdktest.Start(t, Plugin(), sdktest.Config(map[string]any{"expression": `has("eth2")`, "reason": "foreign"}))
	if got, err := p.Decide(sdk.StageServe, sdktest.Node(1, sdktest.Endpoint(1))); err != nil || got[0].Reason != "foreign" {
		t.Error(got, err)
	}
}

func TestDistanceNeedsTheOwnNode(t *testing.T) {
	config := sdktest.Config(map[string]any{"expression": "node.distance == 0"})
	if _, err := sdktest.Try(t, sdktest.Source{New: Plugin}, config); err == nil || !strings.Contains(err.Error(), `add "self" to grants`) {
		t.Errorf("without the grant: %v", err)
	}
	host := sdktest.NewHost()
	p := sdktest.Start(t, Plugin(), config, sdktest.Grants("self"), sdktest.WithHost(host))
	got, err := p.Decide(sdk.StageTable, host.Self(), sdktest.Node(1, sdktest.Endpoint(1)))
	if err != nil || got[0].Decision != sdk.Accept || got[1].Reason != "distance" {
		t.Error(got, err)
	}
}

func TestMistakesRefuseThePlugin(t *testing.T) {
	for _, test := range []struct {
		config map[string]any
		want   []string
	}{
		{map[string]any{"expression": ""}, []string{"expression:1:1: the expression is empty"}},
		{map[string]any{"expression": "true &&\n  enr.cgcc > 3"}, []string{`expression:2:7: there is no member "cgcc"; did you mean "cgc"?`}},
		{map[string]any{"expression": "has(eth2)"}, []string{"expression:1:5: "}},
		{map[string]any{"expression": "true", "grace": -time.Second, "reason": "Foreign!"}, []string{"grace is -1s", `reason is "Foreign!"`}},
		{map[string]any{"expression": "true", "schedules": "forks.hcl"}, []string{`the path "forks.hcl" is not absolute; write file("forks.hcl")`}},
		{map[string]any{"expression": "true", "schedules": filepath.Join(t.TempDir(), "none.hcl")}, []string{"schedules: open "}},
		{map[string]any{"expression": "true", "schedules": "network \"x\" {\n}"}, []string{`schedules:1:1: network "x" has neither`}},
		{map[string]any{"expression": `fork("devnet").accepts(enr)`}, []string{`expression:1:6: no schedule of a network "devnet"`}},
	} {
		_, err := sdktest.Try(t, sdktest.Source{New: Plugin}, sdktest.Config(test.config))
		for _, want := range test.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v: %v\nwant %s", test.config, err, want)
			}
		}
	}
}

// devnet has its forks an hour and three hours after the beginning of the year 2000, where the time
// of a bubble begins.
const devnet = `
network "devnet" {
  consensus {
    genesis_time = 946684000
    seconds_per_slot = 1
    slots_per_epoch = 1
    fork "one" {
      epoch   = 0
      version = "0x00000001"
      digest  = "0x11111111"
    }
    fork "two" {
      epoch   = 4400
      version = "0x00000002"
      digest  = "0x22222222"
    }
    blobs "three" {
      epoch     = 11600
      max_blobs = 9
      digest    = "0x33333333"
    }
  }
}`

func TestSchedulesFromTextAndFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "forks.hcl")
	if err := os.WriteFile(file, []byte(devnet), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, schedules := range []string{devnet, file} {
		p := sdktest.Start(t, Plugin(), sdktest.Config(map[string]any{
			"expression": `fork("devnet").accepts(enr) || fork("mainnet").accepts(enr)`, "schedules": schedules,
		}))
		got, err := p.Decide(sdk.StageTable, onFork(1, fields.Bytes4{0x33, 0x33, 0x33, 0x33}), onFork(2, fields.Bytes4{0x22, 0x22, 0x22, 0x22}))
		if err != nil || got[0].Decision != sdk.Accept || got[0].TTL != 0 || got[1].Decision != sdk.Reject {
			t.Error(got, err)
		}
	}
}

// At a fork the digests on both sides are accepted within the grace window, and only the new one
// after it, by the same run of the plugin. A verdict holds until then.
func TestForkBoundary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &filter{config: config{Expression: `fork("devnet").accepts(enr)`, Schedules: devnet, Grace: 30 * time.Minute}}
		if err := f.config.Validate(); err != nil {
			t.Fatal(err)
		}
		if err := f.start(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		nodes := []*enode.Node{
			onFork(1, fields.Bytes4{0x11, 0x11, 0x11, 0x11}), onFork(2, fields.Bytes4{0x22, 0x22, 0x22, 0x22}),
			onFork(3, fields.Bytes4{0x33, 0x33, 0x33, 0x33}), onFork(4, fields.Bytes4{0x44, 0x44, 0x44, 0x44}),
		}
		begin := time.Now()
		for _, step := range []struct {
			after time.Duration
			want  string // reasons
		}{
			{0, ", fork_early, fork_early, fork_foreign"},
			{29 * time.Minute, ", fork_early, fork_early, fork_foreign"},
			{31 * time.Minute, ", , fork_early, fork_foreign"},
			{61 * time.Minute, ", , fork_early, fork_foreign"},
			{89 * time.Minute, ", , fork_early, fork_foreign"},
			{91 * time.Minute, "fork_old, , fork_early, fork_foreign"},
			{151 * time.Minute, "fork_old, , , fork_foreign"},
			{211 * time.Minute, "fork_old, fork_old, , fork_foreign"},
		} {
			time.Sleep(step.after - time.Since(begin))
			out := make([]sdk.Verdict, len(nodes))
			if err := f.Decide(t.Context(), sdk.StageTable, nodes, out); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, v := range out {
				got = append(got, v.Reason)
			}
			if strings.Join(got, ", ") != step.want {
				t.Errorf("after %s: %q, want %q", step.after, got, step.want)
			}
		}
	})
}

// A verdict that is cached for its time to live never outlives what is true: asked again at its end,
// the node has another one, and a second before it, still the same.
func TestVerdictsEndAtTheBoundary(t *testing.T) {
	for digest, want := range map[byte]string{0x11: "accept, reject", 0x22: "reject, accept, reject", 0x33: "reject, accept", 0x44: "reject"} {
		synctest.Test(t, func(t *testing.T) {
			f := &filter{config: config{Expression: `fork("devnet").accepts(enr)`, Schedules: devnet, Grace: 30 * time.Minute}}
			if err := f.config.Validate(); err != nil {
				t.Fatal(err)
			}
			if err := f.start(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			node := []*enode.Node{onFork(1, fields.Bytes4{digest, digest, digest, digest})}
			ask := func() sdk.Verdict {
				out := make([]sdk.Verdict, 1)
				if err := f.Decide(t.Context(), sdk.StageTable, node, out); err != nil {
					t.Fatal(err)
				}
				return out[0]
			}
			var got []string
			for {
				v := ask()
				got = append(got, map[sdk.Decision]string{sdk.Accept: "accept", sdk.Reject: "reject"}[v.Decision])
				if v.TTL == 0 {
					break
				}
				time.Sleep(v.TTL - time.Second)
				if again := ask(); again.Decision != v.Decision {
					t.Errorf("digest %x: %v already a second before its end", digest, again)
				}
				time.Sleep(time.Second)
			}
			if strings.Join(got, ", ") != want {
				t.Errorf("digest %x: %s, want %s", digest, got, want)
			}
		})
	}
}

func TestConformance(t *testing.T) {
	sdktest.Conformance(t, sdktest.Source{New: Plugin, Config: map[string]any{"expression": `has("eth2") && fork("mainnet").accepts(enr)`}})
}

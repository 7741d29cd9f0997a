//go:build unix

package plugins

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/discv5/host/core"
	"github.com/discv5/host/sdk"
	"github.com/discv5/host/sdk/fields"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
)

// gated is the bundled filter, which does not become ready before there is a file.
func gated(p sdk.Plugin, gate string) sdk.Plugin {
	f := p.(*sdk.FilterPlugin)
	start := f.Start
	f.Start = func(ctx context.Context, host *sdk.Host) error {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			if _, err := os.Stat(gate); err == nil {
				return start(ctx, host)
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return f
}

const devnet = `
network "devnet" {
  consensus {
    genesis_time = 946684800
    fork "one" {
      epoch   = 0
      version = "0x00000001"
      digest  = "0x11111111"
    }
  }
}`

var (
	wantedFork = fields.Eth2{ForkDigest: fields.Bytes4{0x11, 0x11, 0x11, 0x11}, NextForkEpoch: fields.FarFutureEpoch}
	otherFork  = fields.Eth2{ForkDigest: fields.Bytes4{0x77, 0x77, 0x77, 0x77}, NextForkEpoch: fields.FarFutureEpoch}
)

// forkNet is a host with a filter process that wants the nodes of one fork, and its network.
type forkNet struct {
	*rig
	gate  string
	names map[enode.ID]string
}

// newForkNet starts the host. The filter is ready only while gate exists.
func newForkNet(t *testing.T, onError core.Decision) *forkNet {
	gate := filepath.Join(t.TempDir(), "gate")
	f := &forkNet{gate: gate, names: make(map[enode.ID]string)}
	f.open()
	b := Block{
		Kind: Filter, Name: "devnet", Source: self(t), Args: []string{"mode=expr", gate}, OnError: onError, Deadline: time.Second,
		Stages: []core.Stage{core.StageTable, core.StageServe, core.StageDeliver},
	}
	b = b.with(map[string]any{"expression": `enr.has("eth2") && fork("devnet").accepts(enr)`, "schedules": devnet})
	f.rig = newRig(t, func(c *Config) { c.timing.configure = time.Minute }, b)
	return f
}

// open lets the filter become ready.
func (f *forkNet) open() {
	if err := os.WriteFile(f.gate, nil, 0o600); err != nil {
		panic(err)
	}
}

// kill kills the process of the filter. Another one is started and does not become ready.
func (f *forkNet) kill() {
	f.t.Helper()
	if err := os.Remove(f.gate); err != nil {
		f.t.Fatal(err)
	}
	pid := f.status("devnet").PID
	p, err := os.FindProcess(pid)
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		f.t.Fatal(err)
	}
	f.await("devnet", "another process is configured", func(st Status) bool { return st.State == Configuring && st.PID != pid })
}

// join starts nodes: wanted ones, as many of another fork, and as many foreign ones. They are named after a letter.
func (f *forkNet) join(letter string, count int) (nodes []*core.Node) {
	for i := range count {
		for kind, entries := range map[string][]enr.Entry{"wanted": {wantedFork}, "other": {otherFork}, "foreign": nil} {
			n := listen(f.t, func(c *core.Config) { c.Fields = entries })
			nodes = append(nodes, n)
			f.names[n.ID()] = fmt.Sprintf("%s %s %d", letter, kind, i)
		}
	}
	return nodes
}

// known are the names of nodes, sorted. Those that are no part of the network are left out.
func (f *forkNet) known(nodes []*enode.Node) (names []string) {
	for _, n := range nodes {
		if name := f.names[n.ID()]; name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// of are the names of nodes whose records a filter of the fork accepts, or all.
func (f *forkNet) of(nodes []*core.Node, all bool) (names []string) {
	for _, n := range nodes {
		var e fields.Eth2
		if all || n.Self().Load(&e) == nil && e.ForkDigest == wantedFork.ForkDigest {
			names = append(names, f.names[n.ID()])
		}
	}
	slices.Sort(names)
	return names
}

// meet makes the host meet nodes, and hear of those that are in its table that they are alive.
func (f *forkNet) meet(nodes []*core.Node) {
	f.t.Helper()
	for _, n := range nodes {
		if _, err := f.host.Add(n.Self()); err != nil {
			f.t.Fatal(err)
		}
		if _, err := f.host.Ping(f.t.Context(), n.Self()); err != nil {
			f.t.Fatal("ping:", err)
		}
	}
}

// views are what the filter decides about: the table, what the host relays to a stranger, what it hands out of its table,
// and what a lookup of each node hands out.
func (f *forkNet) views(nodes []*core.Node) map[string][]string {
	f.t.Helper()
	var table, relayed, found []*enode.Node
	for _, e := range f.host.Table().Nodes {
		table = append(table, e.Node)
	}
	for d := uint(256); d > 244; d-- {
		for range 8 { // 16 at most at a time, chosen anew
			some, err := f.peer.FindNode(f.t.Context(), f.host.Self(), []uint{d})
			if err != nil {
				f.t.Fatal("findnode:", err)
			}
			relayed = append(relayed, some...)
		}
	}
	for _, n := range nodes {
		if node, err := f.host.Resolve(f.t.Context(), n.ID()); err == nil {
			found = append(found, node)
		}
	}
	return map[string][]string{
		"the table": f.known(table), "relayed": f.known(relayed), "handed out": f.known(f.host.Closest(f.host.ID(), 1000, false)), "resolved": f.known(found),
	}
}

// want waits until everything that the filter decides about has exactly the nodes of these names.
func (f *forkNet) want(when string, names []string, nodes []*core.Node) {
	f.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(30 * time.Second); ; <-tick.C {
		f.meet(nodes)
		wrong := ""
		for view, got := range f.views(nodes) {
			if !slices.Equal(got, names) {
				wrong += fmt.Sprintf("\n%s has %q", view, got)
			}
		}
		if wrong == "" {
			return
		}
		if time.Now().After(end) {
			f.t.Fatalf("%s: not within 30 s as it should be, %q:%s\n%+v", when, names, wrong, f.host.FilterStats())
		}
	}
}

// guessed waits until on_error has decided at every stage about a number of records, and never otherwise than it says.
func (f *forkNet) guessed(onError core.Decision, count uint64) {
	f.t.Helper()
	f.await("devnet", fmt.Sprintf("on_error decides about %d records", count), func(Status) bool {
		at := make(map[core.Stage]uint64)
		for _, d := range f.host.FilterStats()[0].Decisions {
			if d.Reason != "late" && d.Reason != "error" {
				continue
			}
			if at[d.Stage] += d.Count; d.Decision != onError {
				f.t.Fatalf("on_error is %v, and it decided %+v", onError, d)
			}
		}
		return at[core.StageTable] >= count && at[core.StageServe] >= count && at[core.StageDeliver] >= count
	})
}

// The process of a filter is killed in a network of 48 nodes. Whom it has decided about stays as it is; on_error decides
// about those that are met meanwhile, and about records that change; and the filter about all when it is back.
func TestFilterIsKilledInANetwork(t *testing.T) {
	for _, onError := range []core.Decision{core.Accept, core.Reject} {
		t.Run(onError.String(), func(t *testing.T) {
			t.Parallel()
			f := newForkNet(t, onError)
			before := f.join("a", 8)
			change := func(name string, e enr.Entry) {
				t.Helper()
				n := before[slices.IndexFunc(before, func(n *core.Node) bool { return f.names[n.ID()] == name })]
				if err := n.SetEntries(t.Context(), e); err != nil {
					t.Fatal(err)
				}
			}
			names := f.of(before, false)
			f.want("with the filter", names, before)

			f.kill()
			f.want("without it", names, before)
			during := f.join("b", 8)
			all := slices.Concat(before, during)
			f.meet(during)
			f.guessed(onError, uint64(len(during)))
			if onError == core.Accept {
				names = append(names, f.of(during, true)...)
			}
			f.want("with newcomers", names, all)

			change("a other 0", wantedFork)
			change("a wanted 0", otherFork)
			f.meet(before)
			f.guessed(onError, uint64(len(during)+2))
			if onError == core.Accept {
				names = slices.Sorted(slices.Values(append(names, "a other 0")))
			} else {
				names = slices.DeleteFunc(names, func(name string) bool { return name == "a wanted 0" })
			}
			f.want("with records that changed", names, all)

			f.open()
			f.await("devnet", "it is back", func(st Status) bool { return st.State == Running })
			f.want("with the filter again", f.of(all, false), all)
		})
	}
}

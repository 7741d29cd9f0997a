//go:build unix

package plugins

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/discv5/host/core"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
)

// wanting is a filter that accepts the records with a field; without one it accepts all.
func wanting(t *testing.T, name, field string) Block {
	b := Block{
		Kind: Filter, Name: name, Source: self(t), Args: []string{"mode=filter", ""}, OnError: core.Reject, Deadline: time.Second,
		Stages: []core.Stage{core.StageTable, core.StageServe, core.StageDeliver},
	}
	return b.with(map[string]any{"answer": field})
}

// marked is a node whose record has a field.
func marked(t *testing.T, field string) *enode.Node {
	return listen(t, func(c *core.Config) { c.Fields = []enr.Entry{enr.WithEntry(field, []byte("x"))} }).Self()
}

// awaitTable waits until a node is in the host's table, or is not. Somebody offers it all the time.
func (r *rig) awaitTable(node *enode.Node, offer, want bool) {
	r.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Second); (r.host.Node(node.ID()) != nil) != want; <-tick.C {
		if offer {
			if _, err := r.host.Add(node); err != nil {
				r.t.Fatal(err)
			}
		}
		if time.Now().After(end) {
			r.t.Fatalf("not within 10 s: in the table %v; %+v", want, r.host.FilterStats())
		}
	}
}

func (r *rig) reload(blocks ...Block) {
	r.t.Helper()
	if err := r.set.Reload(r.t.Context(), blocks); err != nil {
		r.t.Fatal("reload:", err)
	}
	if err := r.set.Settle(r.t.Context()); err != nil {
		r.t.Fatal("settle:", err)
	}
}

// The table follows a filter that is replaced by another configuration, and by another program behind the same path.
func TestVerdictsFollowTheFilter(t *testing.T) {
	b := wanting(t, "f", "")
	program, err := os.ReadFile(b.Source)
	if err != nil {
		t.Fatal(err)
	}
	b.Source = filepath.Join(t.TempDir(), "filter")
	if err := os.WriteFile(b.Source, program, 0o700); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, nil, b)
	fine, bad := marked(t, "fine"), marked(t, "bad")
	for _, node := range []*enode.Node{fine, bad} {
		r.awaitTable(node, true, true)
	}
	if err := r.set.Replace(t.Context(), b.with(map[string]any{"answer": "fine"})); err != nil {
		t.Fatal(err)
	}
	r.awaitTable(bad, false, false)
	if r.host.Node(fine.ID()) == nil {
		t.Error("a node that the new filter accepts has left the table")
	}
	calls := r.host.FilterStats()[0].Calls
	kill := func() {
		st := r.status("f")
		p, err := os.FindProcess(st.PID)
		if err == nil {
			err = p.Kill()
		}
		if err != nil {
			t.Fatal(err)
		}
		r.await("f", "it is back", func(now Status) bool { return now.PID != 0 && now.PID != st.PID && now.State == Running })
	}
	kill()
	if got := r.host.FilterStats()[0].Calls; got != calls {
		t.Errorf("%d calls more after a crash of the same program", got-calls)
	}
	if err := os.Remove(b.Source); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.Source, append(program, 0), 0o700); err != nil {
		t.Fatal(err)
	}
	kill()
	r.await("f", "the new program is asked", func(Status) bool { return r.host.FilterStats()[0].Calls > calls })
}

// Filters come, change and go, and whom they accept never leaves the table.
func TestReloadFilters(t *testing.T) {
	talk := block(t, "echo", "echo")
	r := newRig(t, nil, talk)
	fine, bad := marked(t, "fine"), marked(t, "bad")
	events, err := r.host.Events(1024)
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range []*enode.Node{fine, bad} {
		r.awaitTable(node, true, true)
	}
	one, two := wanting(t, "one", ""), wanting(t, "two", "fine")
	one.Order = 2
	r.reload(one, talk, two)
	r.awaitTable(bad, false, false)
	names := func() (all []string) {
		for _, s := range r.host.FilterStats() {
			all = append(all, s.Name)
		}
		return all
	}
	if got := names(); !slices.Equal(got, []string{"two", "one"}) {
		t.Errorf("filters %q", got)
	}
	if got := r.set.Status(); got[0].Name != "one" || got[1].Name != "echo" || got[2].Name != "two" {
		t.Errorf("the plugins are %s, %s, %s", got[0].ID, got[1].ID, got[2].ID)
	}
	// What only core does with a filter changes without a new process.
	pid := r.status("two").PID
	two.DryRun, two.Order = true, 3
	r.reload(one, talk, two)
	r.awaitTable(bad, true, true)
	if got := r.status("two").PID; got != pid || !slices.Equal(names(), []string{"one", "two"}) {
		t.Errorf("process %d, then %d; filters %q", pid, got, names())
	}
	two.DryRun = false
	r.reload(one, talk, two)
	r.awaitTable(bad, false, false)
	// A change that fails leaves everything as it was.
	broken := two
	broken.Source, broken.DryRun = filepath.Join(t.TempDir(), "none"), true
	if err := r.set.Reload(t.Context(), []Block{one, talk, broken}); err == nil || errors.Is(err, ErrRestart) {
		t.Errorf("reload: %v", err)
	}
	if st := r.host.FilterStats(); st[1].DryRun || r.status("two").PID != pid {
		t.Errorf("filters %+v after a change that failed", st)
	}
	two.Stages = []core.Stage{core.StageServe}
	r.reload(one, talk, two)
	r.awaitTable(bad, true, true)
	r.reload(talk)
	if got := names(); len(got) != 0 {
		t.Errorf("filters %q", got)
	}
	if n := len(r.set.Status()); n != 1 {
		t.Errorf("%d plugins", n)
	}
	events.Close()
	for e := range events.C {
		if e.Type == core.NodeRemoved && e.ID == fine.ID() {
			t.Error("a node that all filters accept has left the table")
		}
	}
}

//go:build unix

package plugins

import (
	"slices"
	"strings"
	"testing"

	"github.com/discv5/host/core"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// A filter that describes stages is asked there and nowhere else, and it is told so.
func TestStagesThatAFilterDescribes(t *testing.T) {
	all := []core.Stage{core.StageTable, core.StageServe, core.StageDeliver}
	at := func(name string, implied bool, stages ...core.Stage) Block {
		return Block{Kind: Filter, Name: name, Source: self(t), Args: []string{"mode=filter at serve", ""}, OnError: core.Reject, Stages: stages, StagesImplied: implied}
	}
	r := newRig(t, nil, at("implied", true, all...), at("chosen", false, core.StageServe), at("wrong", false, core.StageTable, core.StageServe), at("none", true, core.StageTable))
	for name, want := range map[string]State{"implied": Running, "chosen": Running, "wrong": Refused, "none": Refused} {
		if st := r.awaitState(name, want); want == Refused && !strings.Contains(st.Reason, "it decides at serve only") {
			t.Errorf("%s: %s", name, st.Reason)
		}
	}
	if st := r.status("wrong"); !strings.Contains(st.Reason, `names the stage "table"`) {
		t.Errorf("reason %q", st.Reason)
	}
	filters := make(map[string]core.FilterConfig)
	for _, f := range r.set.Filters() {
		filters[f.Name] = f
	}
	for _, name := range []string{"implied", "chosen"} {
		if got := filters[name].Stages; !slices.Equal(got, []core.Stage{core.StageServe}) {
			t.Errorf("core asks %s at %v", name, got)
		}
		if !filters[name].Uniform { // it is a function that is not told the stage
			t.Errorf("core does not know that %s is uniform", name)
		}
		for _, stage := range all { // core may ask before it knows; the plugin itself would reject
			out := []core.Verdict{{Decision: core.Accept}}
			want := core.Abstain
			if stage == core.StageServe {
				want = core.Reject
			}
			err := filters[name].Filter.Decide(t.Context(), stage, []*enode.Node{r.peer.Self()}, out)
			if err != nil || out[0].Decision != want {
				t.Errorf("%s says %v, %v at %v, want %v", name, out[0].Decision, err, stage, want)
			}
		}
	}
}

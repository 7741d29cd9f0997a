package sdk

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

type filterFn func(ctx context.Context, stage Stage, nodes []*enode.Node, out []Verdict) error

func (f filterFn) Decide(ctx context.Context, stage Stage, nodes []*enode.Node, out []Verdict) error {
	return f(ctx, stage, nodes, out)
}

// decideWith returns a function that asks a filter.
func decideWith(t *testing.T, f Filter) func(*pluginpb.FilterBatch) *pluginpb.FilterVerdicts {
	s := serve(t, &FilterPlugin{Info: Info{Name: "f"}, Filter: f})
	early, err := pluginpb.NewFilterClient(s.conn).Decide(s.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := early.Recv(); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("Decide before Configure: %v", err)
	}
	s.configure(t, &pluginpb.ConfigureRequest{})
	stream, err := pluginpb.NewFilterClient(s.conn).Decide(s.ctx)
	if err != nil {
		t.Fatal(err)
	}
	return func(b *pluginpb.FilterBatch) *pluginpb.FilterVerdicts {
		t.Helper()
		if err := stream.Send(b); err != nil {
			t.Fatal(err)
		}
		v, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if v.Id != b.Id {
			t.Errorf("verdicts of batch %d, want %d", v.Id, b.Id)
		}
		return v
	}
}

func filterNodes(t *testing.T, n int) []*pluginpb.FilterNode {
	var out []*pluginpb.FilterNode
	for i := range n {
		node, record := testNode(t, byte(i), enr.WithEntry("n", uint(i)))
		id := node.ID()
		out = append(out, &pluginpb.FilterNode{NodeId: id[:], Record: record})
	}
	return out
}

func mark(n *enode.Node) (i uint) {
	if n.Load(enr.WithEntry("n", &i)) != nil {
		return 99
	}
	return i
}

func TestFilterFunc(t *testing.T) {
	decide := decideWith(t, FilterFunc(func(n *enode.Node) bool {
		if mark(n) == 2 {
			panic("two")
		}
		return mark(n) == 1
	}))
	nodes := filterNodes(t, 3)
	nodes = append([]*pluginpb.FilterNode{{NodeId: nodes[0].NodeId, Record: []byte{1}}, {}}, nodes...)
	v := decide(&pluginpb.FilterBatch{Id: 5, Stage: pluginpb.Stage_STAGE_TABLE, Nodes: nodes})
	var got []string
	for _, v := range v.Verdicts {
		got = append(got, v.Decision.String()[9:]+":"+v.Reason)
	}
	if want := "REJECT:bad_record REJECT:bad_record REJECT:no_match ACCEPT: REJECT:panic"; strings.Join(got, " ") != want || v.Error != "" {
		t.Errorf("verdicts %s, want %s", got, want)
	}
}

func TestFilterVerdicts(t *testing.T) {
	decide := decideWith(t, filterFn(func(ctx context.Context, stage Stage, nodes []*enode.Node, out []Verdict) error {
		if stage != StageDeliver {
			t.Errorf("stage %q", stage)
		}
		if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > 300*time.Millisecond {
			t.Errorf("deadline %v, %v", deadline, ok)
		}
		out[0] = Verdict{Decision: Accept, TTL: 1001 * time.Millisecond}
		out[1] = Rejected("Wrong Fork! " + strings.Repeat("x", 40))
		out[2] = Verdict{Decision: 9}
		return nil
	}))
	v := decide(&pluginpb.FilterBatch{Id: 1, Stage: pluginpb.Stage_STAGE_DELIVER, Nodes: filterNodes(t, 4), TimeoutMs: 300})
	if len(v.Verdicts) != 4 {
		t.Fatalf("verdicts %v", v)
	}
	if v0 := v.Verdicts[0]; v0.Decision != pluginpb.Decision_DECISION_ACCEPT || v0.TtlS != 2 {
		t.Errorf("first %v", v0)
	}
	if v1 := v.Verdicts[1]; v1.Decision != pluginpb.Decision_DECISION_REJECT || v1.Reason != "wrong_fork__xxxxxxxxxxxxxxxxxxxx" || v1.TtlS != 0 {
		t.Errorf("second %v", v1)
	}
	if v.Verdicts[2].Decision != pluginpb.Decision_DECISION_UNSPECIFIED || v.Verdicts[3].Decision != pluginpb.Decision_DECISION_UNSPECIFIED {
		t.Errorf("what was not decided: %v", v.Verdicts)
	}
}

func TestFilterErrors(t *testing.T) {
	decide := decideWith(t, filterFn(func(ctx context.Context, _ Stage, nodes []*enode.Node, _ []Verdict) error {
		switch mark(nodes[0]) {
		case 0:
			return errors.New("no idea\xff")
		case 1:
			panic("no")
		}
		<-ctx.Done()
		return ctx.Err()
	}))
	nodes := filterNodes(t, 3)
	table := pluginpb.Stage_STAGE_TABLE
	for want, b := range map[string]*pluginpb.FilterBatch{
		"no idea":                {Id: 1, Stage: table, Nodes: nodes},
		"panic in Filter: no":    {Id: 2, Stage: table, Nodes: nodes[1:]},
		"deadline":               {Id: 3, Stage: table, Nodes: nodes[2:], TimeoutMs: 10},
		"unknown stage":          {Id: 4, Nodes: nodes},
		"batch of 257 nodes, at": {Id: 5, Stage: table, Nodes: make([]*pluginpb.FilterNode, 257)},
	} {
		for i := range b.Nodes {
			if b.Nodes[i] == nil {
				b.Nodes[i] = nodes[0]
			}
		}
		if v := decide(b); !strings.Contains(v.Error, want) || len(v.Verdicts) != 0 {
			t.Errorf("%v, want %s", v, want)
		}
	}
	if v := decide(&pluginpb.FilterBatch{Id: 6, Stage: table}); v.Error != "" || len(v.Verdicts) != 0 {
		t.Errorf("empty batch: %v", v)
	}
}

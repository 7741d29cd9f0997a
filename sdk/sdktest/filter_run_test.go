package sdktest

import (
	"testing"

	"github.com/discv5/host/sdk"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

func TestOpenFilter(t *testing.T) {
	odd := func(n *enode.Node) bool { return n.ID()[31]&1 == 1 }
	f, err := OpenFilter(t.Context(), Source{New: func() sdk.Plugin {
		return &sdk.FilterPlugin{Info: sdk.Info{Name: "odd"}, Stages: []sdk.Stage{sdk.StageServe}, Filter: sdk.FilterFunc(odd)}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	nodes := make([]*enode.Node, maxBatch+3)
	for i := range nodes {
		nodes[i] = Node(uint32(i), Endpoint(uint32(i)))
	}
	got, err := f.Decide(sdk.StageServe, nodes...)
	if err != nil || len(got) != len(nodes) {
		t.Fatal(len(got), err)
	}
	for i, v := range got {
		if (v.Decision == sdk.Accept) != odd(nodes[i]) {
			t.Errorf("node %d: %+v", i, v)
		}
	}
	if s := f.Stages(); len(s) != 1 || s[0] != "serve" {
		t.Errorf("stages %q", s)
	}
	_, err = OpenFilter(t.Context(), Source{New: func() sdk.Plugin {
		return &sdk.StorePlugin{Info: sdk.Info{Name: "s"}, Store: nil}
	}})
	if err == nil {
		t.Error("a store is a filter")
	}
}

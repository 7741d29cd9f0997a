package expr

import (
	"strings"
	"testing"

	"github.com/discv5/host/sdk"
	"github.com/discv5/host/sdk/sdktest"
	"github.com/ethereum/go-ethereum/p2p/enr"
)

func TestExpressions(t *testing.T) {
	plain := sdktest.Node(1, sdktest.Endpoint(1))
	eth2 := sdktest.Node(2, sdktest.Endpoint(2), enr.WithEntry("eth2", []byte{1, 2, 3, 4}), enr.WithEntry("no value", []byte{}))
	for _, test := range []struct {
		expression  string
		plain, eth2 bool
	}{
		{"true", true, true},
		{" false ", false, false},
		{`has("eth2")`, false, true},
		{`has("no value")`, false, true},
		{` has ( "eth2" ) `, false, true},
		{`has("udp")`, true, true},
		{`has("eth")`, false, false},
	} {
		p := sdktest.Start(t, Plugin(), sdktest.Config(map[string]any{"expression": test.expression}))
		got, err := p.Decide(sdk.StageTable, plain, eth2)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []bool{test.plain, test.eth2} {
			if accepted := got[i].Decision == sdk.Accept; accepted != want || !accepted && got[i].Decision != sdk.Reject {
				t.Errorf("%s: node %d has the verdict %+v", test.expression, i, got[i])
			}
		}
	}
}

func TestWrongExpressions(t *testing.T) {
	for _, expression := range []string{
		"", "yes", "True", "has", "has()", `has("")`, "has(eth2)", "has('e')", "has(`eth2`)", `has("eth2"`, `has("eth2"))`, `has("eth2") && true`, `not has("eth2")`,
	} {
		_, err := sdktest.Try(t, sdktest.Source{New: Plugin}, sdktest.Config(map[string]any{"expression": expression}))
		if err == nil || !strings.Contains(err.Error(), `has("key")`) {
			t.Errorf("the expression %q: %v", expression, err)
		}
	}
}

func TestConformance(t *testing.T) {
	sdktest.Conformance(t, sdktest.Source{New: Plugin, Config: map[string]any{"expression": `has("eth2")`}})
}

package admin

import (
	"net/url"
	"strings"
	"testing"

	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// Nodes are filtered by an expression, on the path and by the methods.
func TestNodeFilter(t *testing.T) {
	var chosen enode.ID
	r := newRig(t, func(c *Config) {
		c.Compile = func(text string) (func(*enode.Node) bool, error) {
			if text != "chosen" {
				return nil, hint.New("1:1: what is that", "write chosen")
			}
			return func(n *enode.Node) bool { return n.ID() == chosen }, nil
		}
	})
	for range 3 {
		peer := newNode(t)
		r.mustCall("discv5_addEnr", quoted(peer.Self().String()))
		chosen = peer.ID()
	}
	var page NodesView
	if err := r.client.Get(t.Context(), "/v1/nodes?filter=chosen&limit=1", &page); err != nil || len(page.Nodes) != 1 || page.Nodes[0].NodeID != hexID(chosen) || page.Next != "" {
		t.Errorf("%v %v", page, err)
	}
	if got := r.mustCall("host_nodes", `{"filter": "chosen", "limit": 10}`).(object)["nodes"].([]any); len(got) != 1 {
		t.Error(got)
	}
	if got := r.mustCall("host_nodes", `{"limit": 2}`).(object); len(got["nodes"].([]any)) != 2 || got["next"] == nil {
		t.Error(got)
	}
	if got := r.mustCall("host_nodes", `{"verified": true}`).(object)["nodes"].([]any); len(got) != 0 {
		t.Errorf("%v are verified", got)
	}
	found := r.mustCall("host_lookup", `["`+chosen.String()+`", "chosen"]`).(object)["nodes"].([]any)
	if len(found) != 1 || found[0].(object)["logDistance"] != 0.0 {
		t.Error(found)
	}
	for _, query := range []string{"filter=x", "verified=x", "filter=" + url.QueryEscape(strings.Repeat("(", maxFilter+1))} {
		if err := r.client.Get(t.Context(), "/v1/nodes?"+query, &page); err == nil {
			t.Errorf("%.40s is answered", query)
		} else if query == "filter=x" && (err.Error() != "filter: 1:1: what is that" || hint.Of(err) != "write chosen") {
			t.Errorf("%v, hint %s", err, hint.Of(err))
		}
	}
	if _, err := r.call("host_nodes", `["x"]`); err == nil || !strings.Contains(err.Error(), "1:1") {
		t.Error(err)
	}
}

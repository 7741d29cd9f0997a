package cli

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/discv5/host/cmd/host/internal/admin"
	"github.com/discv5/host/core"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// All bans are listed, though the host shows them page by page.
func TestListOfManyBans(t *testing.T) {
	r := newRig(t, nil)
	const many = 2*bansPage + 1
	for i := range many {
		if err := r.node.Ban(core.Ban{ID: enode.ID{byte(i >> 8), byte(i), 1}, Until: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
	}
	stdout, stderr, status := host("ban", "list", "--json", "--socket", r.server.Socket())
	var v admin.BansView
	if err := json.Unmarshal([]byte(stdout), &v); err != nil || status != exitOK {
		t.Fatalf("%d %s %v", status, stderr, err)
	}
	subjects := make(map[string]bool)
	for _, b := range v.Bans {
		subjects[b.NodeID] = true
	}
	if len(v.Bans) != many || len(subjects) != many || v.Next != "" {
		t.Errorf("%d of %d bans, %d subjects, and next is %q", len(v.Bans), many, len(subjects), v.Next)
	}
}

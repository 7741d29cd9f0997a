package admin

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/discv5/host/core"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// Pages have every ban once, in the order of their end, those without one last, also when bans end at the same time or in between.
func TestPagesOfBans(t *testing.T) {
	end := time.Now().Add(time.Hour)
	var all []core.Ban
	for i := range 40 {
		all = append(all, core.Ban{ID: enode.ID{byte(i + 1)}, Until: end.Add(time.Duration(i/10) * time.Hour)})
	}
	all = append(all, core.Ban{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Permanent: true})
	seen := make(map[string]bool)
	var last banPlace
	count := 0
	for next := ""; ; {
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] }) // the node has no order of its own
		after, err := parseBanPlace(next)
		if err != nil {
			t.Fatal(err)
		}
		page := bansPage(append([]core.Ban(nil), all...), 7, after)
		for _, b := range page.Bans {
			subject := b.NodeID + b.Prefix.String()
			if seen[subject] {
				t.Errorf("%s comes twice", subject)
			}
			seen[subject] = true
			count++
		}
		if next = page.Next; next == "" {
			break
		}
		here, err := parseBanPlace(next)
		if err != nil || here.compare(last) <= 0 {
			t.Fatalf("%q behind %v: %v", next, last, err)
		}
		last = here
		for i, b := range all { // the one that the page ended with ends
			if placeOfBan(b) == here {
				all = append(all[:i], all[i+1:]...)
				break
			}
		}
	}
	if count != 41 || !seen["192.0.2.0/24"] {
		t.Errorf("%d of 41 bans", count)
	}

	r := newRig(t, nil)
	for i := range 5 {
		if err := r.node.Ban(ban(i)); err != nil {
			t.Fatal(err)
		}
	}
	var first, second BansView
	err := r.client.Get(t.Context(), "/v1/bans?limit=3", &first)
	err = errors.Join(err, r.client.Get(t.Context(), "/v1/bans?limit=3&after="+url.QueryEscape(first.Next), &second))
	if err != nil || len(first.Bans) != 3 || len(second.Bans) != 2 || second.Next != "" || fmt.Sprint(second.Bans[1].Reason) != "4" {
		t.Errorf("%+v, %+v, %v", first, second, err)
	}
	for _, query := range []string{"limit=0", "limit=1001", "after=x"} {
		if status, text := r.raw(http.MethodGet, "/v1/bans?"+query, ""); status != http.StatusBadRequest || !strings.Contains(text, `"error"`) {
			t.Errorf("%s: %d %s", query, status, text)
		}
	}
}

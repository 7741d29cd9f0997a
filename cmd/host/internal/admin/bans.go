package admin

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/discv5/host/core"
)

// BansView is a page of the bans.
type BansView struct {
	Bans []BanView `json:"bans"`
	Next string    `json:"next,omitempty"` // what to give as after for the next page; absent: this is the last one
}

// BanView is a ban, of a node or of an address range.
type BanView struct {
	NodeID string       `json:"nodeId,omitempty"`
	Prefix netip.Prefix `json:"prefix,omitzero"`
	Reason string       `json:"reason"`
	Until  time.Time    `json:"until"`
}

func banView(b core.Ban) BanView {
	v := BanView{Prefix: b.Prefix, Reason: b.Reason, Until: b.Until}
	if !b.Prefix.IsValid() {
		v.NodeID = hexID(b.ID)
	}
	return v
}

// allBans are the bans in the order of their end.
func allBans(_ context.Context, a *args) (any, error) {
	all := []BanView{}
	for _, b := range a.s.cfg.Node.Bans() {
		all = append(all, banView(b))
	}
	return all, nil
}

// banPlace is where a ban is in the order of pages: by its end, those without one last, and then by its subject.
type banPlace struct {
	end     int64 // Unix nanoseconds
	subject string
}

func placeOfBan(b core.Ban) banPlace {
	p := banPlace{b.Until.UnixNano(), b.Prefix.String()}
	if b.Permanent {
		p.end = math.MaxInt64
	}
	if !b.Prefix.IsValid() {
		p.subject = hexID(b.ID)
	}
	return p
}

func (p banPlace) compare(q banPlace) int {
	return cmp.Or(cmp.Compare(p.end, q.end), cmp.Compare(p.subject, q.subject))
}

func (p banPlace) String() string { return fmt.Sprintf("%d,%s", p.end, p.subject) }

func parseBanPlace(text string) (p banPlace, err error) {
	if text == "" {
		return p, nil // before all
	}
	end, subject, _ := strings.Cut(text, ",")
	if p.end, err = strconv.ParseInt(end, 10, 64); err != nil {
		return p, invalid("after is what the page before had as next")
	}
	p.subject = subject
	return p, nil
}

func (s *Server) showBans(w http.ResponseWriter, r *http.Request) {
	limit, after, err := bansQuery(r.URL.Query())
	if err != nil {
		showFailure(w, err)
		return
	}
	release, err := s.takeCopy(r.Context())
	if err != nil {
		showFailure(w, err)
		return
	}
	page := bansPage(s.cfg.Node.Bans(), limit, after)
	release()
	s.answer(w, page)
}

func bansQuery(query url.Values) (limit int, after banPlace, err error) {
	if limit, err = pageLimit(query.Get("limit")); err == nil {
		after, err = parseBanPlace(query.Get("after"))
	}
	return limit, after, err
}

// bansPage makes a page. It has a place also when the ban that the page before ended with has ended.
func bansPage(all []core.Ban, limit int, after banPlace) BansView {
	type placed struct {
		at  banPlace
		ban core.Ban
	}
	var rest []placed
	for _, b := range all {
		if at := placeOfBan(b); at.compare(after) > 0 {
			rest = append(rest, placed{at, b})
		}
	}
	slices.SortFunc(rest, func(a, b placed) int { return a.at.compare(b.at) })
	v := BansView{Bans: []BanView{}}
	for _, p := range rest[:min(limit, len(rest))] {
		v.Bans = append(v.Bans, banView(p.ban))
	}
	if len(rest) > limit {
		v.Next = rest[limit-1].at.String()
	}
	return v
}

package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/core"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

const (
	maxPage     = 1000
	defaultPage = 100
	maxNodes    = 1 << 20 // more than a table has
	maxFilter   = 8 << 10 // bytes of a filter expression
)

// copyPatience is how long a request waits for its turn to copy large state.
const copyPatience = 2 * time.Second

// takeCopy waits for the right to copy large state, for copyPatience or until ctx ends.
func (s *Server) takeCopy(ctx context.Context) (release func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, copyPatience)
	defer cancel()
	select {
	case s.copies <- struct{}{}:
		return func() { <-s.copies }, nil
	case <-ctx.Done():
		return nil, fail(CodeLimit, "too many wait for a copy of the state", "busy", "try again later")
	}
}

// nodesQuery says which nodes of the table to show.
type nodesQuery struct {
	limit    int
	after    enode.ID
	filter   func(*enode.Node) bool // nil: all pass
	verified bool                   // only nodes that answer
}

func (s *Server) showNodes(w http.ResponseWriter, r *http.Request) {
	q, err := s.nodesQuery(r.URL.Query())
	if err != nil {
		showError(w, http.StatusBadRequest, err.Error(), failure(err).Hint())
		return
	}
	release, err := s.takeCopy(r.Context())
	if err != nil {
		showFailure(w, err)
		return
	}
	page, more := s.page(r.Context(), q)
	release()
	s.answer(w, s.nodesView(page, more))
}

// pageLimit reads how much a page has; empty: defaultPage.
func pageLimit(text string) (int, error) {
	if text == "" {
		return defaultPage, nil
	}
	limit, err := strconv.Atoi(text)
	if err != nil || limit < 1 || limit > maxPage {
		return 0, invalid("limit is a number from 1 to " + strconv.Itoa(maxPage))
	}
	return limit, nil
}

func (s *Server) nodesQuery(query url.Values) (q nodesQuery, err error) {
	if q.limit, err = pageLimit(query.Get("limit")); err != nil {
		return q, err
	}
	if text := query.Get("after"); text != "" {
		if q.after, err = enode.ParseID(text); err != nil {
			return q, invalid("after is the id of a node, 64 hex digits")
		}
	}
	if text := query.Get("verified"); text != "" {
		if q.verified, err = strconv.ParseBool(text); err != nil {
			return q, invalid("verified is true or false")
		}
	}
	q.filter, err = s.compile(query.Get("filter"))
	return q, err
}

// compile makes a predicate of a filter expression; nil: of none.
func (s *Server) compile(text string) (func(*enode.Node) bool, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	if s.cfg.Compile == nil {
		return nil, fail(CodeFailed, "this host has no filter expressions", "unsupported", "")
	}
	if len(text) > maxFilter {
		return nil, fail(CodeLimit, fmt.Sprintf("the filter has %d bytes, and %d are the most", len(text), maxFilter), "too_large", "")
	}
	match, err := s.cfg.Compile(text)
	if err != nil {
		return nil, fail(CodeInvalidParams, "filter: "+err.Error(), "invalid_params", hint.Of(err))
	}
	return match, nil
}

func (s *Server) nodesView(page []core.NodeInfo, more bool) NodesView {
	v := NodesView{Nodes: []PeerView{}}
	for _, n := range page {
		v.Nodes = append(v.Nodes, s.peerView(n))
	}
	if more {
		v.Next = v.Nodes[len(v.Nodes)-1].NodeID
	}
	return v
}

// page returns a page of the nodes that filters let out, in the order of their ids, and whether there are more: a page has a place also
// when the node that the page before ended with is gone.
func (s *Server) page(ctx context.Context, q nodesQuery) (page []core.NodeInfo, more bool) {
	pass := make(map[enode.ID]bool)
	for _, n := range s.cfg.Node.Closest(enode.ID{}, maxNodes, q.verified) {
		pass[n.ID()] = true
	}
	all := slices.DeleteFunc(s.cfg.Node.Table().Nodes, func(n core.NodeInfo) bool {
		id := n.Node.ID()
		return !pass[id] || bytes.Compare(id[:], q.after[:]) <= 0
	})
	slices.SortFunc(all, func(a, b core.NodeInfo) int {
		x, y := a.Node.ID(), b.Node.ID()
		return bytes.Compare(x[:], y[:])
	})
	for _, n := range all {
		if ctx.Err() != nil {
			return nil, false
		}
		if q.filter != nil && !q.filter(n.Node) {
			continue
		}
		if len(page) == q.limit {
			return page, true
		}
		page = append(page, n)
	}
	return page, false
}

// listNodes takes what the path takes, by the same names; values may be text there and numbers or booleans here.
func listNodes(ctx context.Context, a *args) (any, error) {
	query := make(url.Values)
	for i, name := range a.names {
		if !a.has(i) {
			continue
		}
		text := ""
		if json.Unmarshal(a.values[i], &text) != nil {
			text = string(a.values[i])
		}
		query.Set(name, text)
	}
	q, err := a.s.nodesQuery(query)
	if err != nil {
		return nil, err
	}
	page, more := a.s.page(ctx, q)
	return a.s.nodesView(page, more), ctx.Err()
}

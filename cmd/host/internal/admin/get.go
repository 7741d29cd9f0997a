package admin

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strconv"

	"github.com/discv5/host/core"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

const (
	maxPage     = 1000
	defaultPage = 100
	maxNodes    = 1 << 20 // more than a table has
)

// takeCopy waits for the right to copy large state, until ctx ends.
func (s *Server) takeCopy(ctx context.Context) (release func(), err error) {
	select {
	case s.copies <- struct{}{}:
		return func() { <-s.copies }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// showNodes shows a page of the nodes that filters let out, in the order of their ids: a page has a place also when the node that
// the page before ended with is gone.
func (s *Server) showNodes(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	limit := defaultPage
	if text := query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxPage {
			showError(w, http.StatusBadRequest, "limit is a number from 1 to "+strconv.Itoa(maxPage), "")
			return
		}
		limit = n
	}
	var after enode.ID
	if text := query.Get("after"); text != "" {
		id, err := enode.ParseID(text)
		if err != nil {
			showError(w, http.StatusBadRequest, "after is the id of a node, 64 hex digits", "")
			return
		}
		after = id
	}
	release, err := s.takeCopy(r.Context())
	if err != nil {
		showError(w, http.StatusServiceUnavailable, "too many wait for a copy of the table", "")
		return
	}
	page, next := s.page(after, limit)
	release()
	v := NodesView{Nodes: []PeerView{}}
	for _, n := range page {
		v.Nodes = append(v.Nodes, s.peerView(n))
	}
	if next {
		v.Next = v.Nodes[len(v.Nodes)-1].NodeID
	}
	show(w, http.StatusOK, v)
}

// page returns up to limit nodes with ids above after, and whether there are more.
func (s *Server) page(after enode.ID, limit int) (page []core.NodeInfo, more bool) {
	pass := make(map[enode.ID]bool)
	for _, n := range s.cfg.Node.Closest(enode.ID{}, maxNodes, false) {
		pass[n.ID()] = true
	}
	page = slices.DeleteFunc(s.cfg.Node.Table().Nodes, func(n core.NodeInfo) bool {
		id := n.Node.ID()
		return !pass[id] || bytes.Compare(id[:], after[:]) <= 0
	})
	slices.SortFunc(page, func(a, b core.NodeInfo) int {
		x, y := a.Node.ID(), b.Node.ID()
		return bytes.Compare(x[:], y[:])
	})
	if len(page) > limit {
		return page[:limit], true
	}
	return page, false
}

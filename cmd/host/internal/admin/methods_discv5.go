package admin

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/discv5/host/core"
	"github.com/discv5/host/table"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// maxOffers bounds the records of one discv5_addEnrs.
const maxOffers = 1000

func nodeInfo(_ context.Context, a *args) (any, error) {
	self := a.s.cfg.Node.Self()
	return struct {
		ENR    string `json:"enr"`
		NodeID string `json:"nodeId"`
	}{self.String(), hexID(self.ID())}, nil
}

// routingTableInfo shows a list of ids for each log distance, as the tables of most clients are.
func routingTableInfo(_ context.Context, a *args) (any, error) {
	self := a.s.cfg.Node.Self().ID()
	buckets := make([][]string, 256)
	for i := range buckets {
		buckets[i] = []string{}
	}
	for _, n := range a.s.cfg.Node.Table().Nodes {
		if d := enode.LogDist(self, n.Node.ID()); d > 0 {
			buckets[d-1] = append(buckets[d-1], hexID(n.Node.ID()))
		}
	}
	return struct {
		LocalNodeID string     `json:"localNodeId"`
		Buckets     [][]string `json:"buckets"`
	}{hexID(self), buckets}, nil
}

// taken tells whether the table knows a node now, or will when the filters let it.
func taken(r table.Result) bool { return r <= table.ReplacementExisting || r == table.Pending }

func offer(a *args, node *enode.Node) (bool, error) {
	result, err := a.s.cfg.Node.Add(node)
	if errors.Is(err, core.ErrBanned) {
		return false, nil
	}
	return err == nil && taken(result), err
}

func addEnr(_ context.Context, a *args) (any, error) {
	node, err := a.record(0)
	if err != nil {
		return nil, err
	}
	return offer(a, node)
}

// addEnrs takes [[enr…]], and [enr…] as well.
func addEnrs(ctx context.Context, a *args) (any, error) {
	texts, err := a.texts(0)
	if err != nil {
		return nil, err
	}
	if len(texts) > maxOffers {
		return nil, fail(CodeLimit, "too many records for one call", "too_large", "send up to 1000 at a time")
	}
	var nodes []*enode.Node
	for _, text := range texts {
		node, err := parseRecord(a.names[0], text)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, node)
	}
	all := true
	for _, node := range nodes {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		ok, err := offer(a, node)
		if err != nil {
			return nil, err
		}
		all = all && ok
	}
	return all, nil
}

// texts reads a list of texts, or one text in place of a list of one.
func (a *args) texts(i int) (all []string, err error) {
	if json.Unmarshal(a.values[i], &all) == nil {
		return all, nil
	}
	var nested [][]string
	if json.Unmarshal(a.values[i], &nested) == nil {
		for _, some := range nested {
			all = append(all, some...)
		}
		return all, nil
	}
	text := ""
	if err := a.decode(i, &text, "a list of texts"); err != nil {
		return nil, err
	}
	return []string{text}, nil
}

func getEnr(_ context.Context, a *args) (any, error) {
	id, err := a.id(0)
	if err != nil {
		return nil, err
	}
	n := a.s.cfg.Node
	if id == n.Self().ID() {
		return n.Self().String(), nil
	}
	if node := n.Node(id); node != nil {
		return node.String(), nil
	}
	return nil, unknownNode(id)
}

func deleteEnr(_ context.Context, a *args) (any, error) {
	id, err := a.id(0)
	if err != nil {
		return nil, err
	}
	return a.s.cfg.Node.Remove(id), nil
}

func lookupEnr(ctx context.Context, a *args) (any, error) {
	id, err := a.id(0)
	if err != nil {
		return nil, err
	}
	node, err := a.s.cfg.Node.Resolve(ctx, id)
	if err != nil {
		return nil, err
	}
	return node.String(), nil
}

func ping(ctx context.Context, a *args) (any, error) {
	node, err := a.node(0)
	if err != nil {
		return nil, err
	}
	pong, err := a.s.cfg.Node.Ping(ctx, node)
	if err != nil {
		return nil, err
	}
	return struct {
		ENRSeq        uint64 `json:"enrSeq"`
		RecipientIP   string `json:"recipientIP"`
		RecipientPort uint16 `json:"recipientPort"`
	}{pong.ENRSeq, pong.Recipient.Addr().String(), pong.Recipient.Port()}, nil
}

func findNode(ctx context.Context, a *args) (any, error) {
	node, err := a.node(0)
	if err != nil {
		return nil, err
	}
	var distances []uint
	const what = "a list of up to 257 log distances from 0 to 256"
	if err := a.decode(1, &distances, what); err != nil {
		return nil, err
	}
	if len(distances) > 257 {
		return nil, a.bad(1, what)
	}
	for _, d := range distances {
		if d > 256 {
			return nil, a.bad(1, what)
		}
	}
	nodes, err := a.s.cfg.Node.FindNode(ctx, node, distances)
	if err != nil {
		return nil, err
	}
	return records(nodes), nil
}

func records(nodes []*enode.Node) []string {
	texts := []string{}
	for _, n := range nodes {
		texts = append(texts, n.String())
	}
	return texts
}

func talkReq(ctx context.Context, a *args) (any, error) {
	node, err := a.node(0)
	if err != nil {
		return nil, err
	}
	protocol, err := a.bytes(1)
	if err != nil {
		return nil, err
	}
	payload, err := a.bytes(2)
	if err != nil {
		return nil, err
	}
	response, err := a.s.cfg.Node.Talk(ctx, node, string(protocol), payload)
	if err != nil {
		return nil, err
	}
	return hexBytes(response), nil
}

// lookup is recursiveFindNodes with a filter, and more about what is found.
func lookup(ctx context.Context, a *args) (any, error) {
	id, err := a.id(0)
	if err != nil {
		return nil, err
	}
	text, err := a.text(1, "a filter expression")
	if err != nil {
		return nil, err
	}
	match, err := a.s.compile(text)
	if err != nil {
		return nil, err
	}
	var options []core.LookupOption
	if match != nil {
		options = append(options, core.Matching(match))
	}
	nodes, err := a.s.cfg.Node.Lookup(ctx, id, options...)
	if err != nil {
		return nil, err
	}
	v := FoundView{Nodes: []FoundNode{}}
	for _, n := range nodes {
		v.Nodes = append(v.Nodes, FoundNode{hexID(n.ID()), n.String(), n.Seq(), enode.LogDist(id, n.ID())})
	}
	return v, nil
}

func recursiveFindNodes(ctx context.Context, a *args) (any, error) {
	id, err := a.id(0)
	if err != nil {
		return nil, err
	}
	nodes, err := a.s.cfg.Node.Lookup(ctx, id)
	if err != nil {
		return nil, err
	}
	return records(nodes), nil
}

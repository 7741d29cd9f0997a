package metrics

import (
	"strconv"

	"github.com/discv5/host/core"
	"github.com/discv5/host/table"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

var tables = &section{title: "Routing table"}

var (
	tableNodes = tables.gauge("discv5_table_nodes",
		"Nodes by log distance from this node (bucket: 256 to 241, and 240 for all that are closer) and state: verified (answered), unverified, replacement (waits for a place).", "bucket", "state")
	tableAdded   = tables.counter("discv5_table_added_total", "Nodes that entered the table.")
	tableRemoved = tables.counter("discv5_table_removed_total", "Nodes that left the table.")
)

// farthest and nearest are the distances that have a series. An honest network of a million nodes has nobody much nearer, and
// whoever makes keys to come nearer makes no series.
const (
	farthest = 256
	nearest  = 240
)

type tableCounts struct{ verified, unverified, replacements int }

// byDistance sums up the table. The buckets that this node is not in have one distance from it. The one that it is in has several:
// its nodes count by their own distances, and its replacements at the farthest it may have.
func byDistance(self enode.ID, info core.TableInfo) (counts [farthest - nearest + 1]tableCounts) {
	at := func(distance int) *tableCounts { return &counts[max(distance, nearest)-nearest] }
	for _, n := range info.Nodes {
		if c := at(table.LogDist(self, n.Node.ID())); n.Verified {
			c.verified++
		} else {
			c.unverified++
		}
	}
	for _, b := range info.Buckets {
		distance := farthest - b.Depth
		if !b.Local {
			distance = table.LogDist(self, b.Prefix)
		}
		at(distance).replacements += b.Replacements
	}
	return counts
}

func (s sink) table(st *core.Stats, self enode.ID, info core.TableInfo) {
	for i, c := range byDistance(self, info) {
		bucket := strconv.Itoa(nearest + i)
		s.value(tableNodes, float64(c.verified), bucket, "verified")
		s.value(tableNodes, float64(c.unverified), bucket, "unverified")
		s.value(tableNodes, float64(c.replacements), bucket, "replacement")
	}
	s.count(tableAdded, st.NodesAdded)
	s.count(tableRemoved, st.NodesRemoved)
}

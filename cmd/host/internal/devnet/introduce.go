package devnet

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"

	"github.com/discv5/host/table"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// introduce tells the nodes of a huge network whom to know, and has each of them ask whether those are alive: as many as a bucket
// holds at each distance, chosen at random. Their tables are then what they would have become by themselves. That would take 2,000 nodes
// on a small machine a quarter of an hour, in which most answers come too late because all of them search at once.
func (n *Network) introduce(ctx context.Context) error {
	records := n.Records()
	next := make(chan int)
	var working sync.WaitGroup
	for range 2 * runtime.GOMAXPROCS(0) { // no more at once than the machine answers in time
		working.Go(func() {
			for i := range next {
				for _, peer := range acquaintances(records, i) {
					if _, err := n.nodes[i].Add(peer); err == nil && ctx.Err() == nil {
						_, _ = n.nodes[i].Ping(ctx, peer) // who does not answer in time is not handed out, that is all
					}
				}
			}
		})
	}
	for i := range n.nodes {
		next <- i
	}
	close(next)
	working.Wait()
	return ctx.Err()
}

// acquaintances chooses whom a node knows.
func acquaintances(records []*enode.Node, self int) []*enode.Node {
	var places [257]int
	var chosen []*enode.Node
	for _, i := range rand.Perm(len(records)) {
		if d := table.LogDist(records[self].ID(), records[i].ID()); d > 0 && places[d] < table.DefaultBucketSize {
			places[d]++
			chosen = append(chosen, records[i])
		}
	}
	return chosen
}

package core

import (
	"crypto/sha256"
	"sync"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// maxRecords bounds the verified records that are remembered, about 1.3 KB each.
const maxRecords = 8192

// recordCache remembers records whose signature was verified, by their hash, so that none is verified twice. It may be
// used from any goroutine.
type recordCache struct {
	mu    sync.Mutex
	nodes *simplelru.LRU[[sha256.Size]byte, *enode.Node]
}

func newRecordCache() *recordCache {
	nodes, _ := simplelru.NewLRU[[sha256.Size]byte, *enode.Node](maxRecords, nil) // it fails for sizes below one
	return &recordCache{nodes: nodes}
}

// lookup returns the node of a record that was verified before, or nil.
func (c *recordCache) lookup(record []byte) *enode.Node {
	hash := sha256.Sum256(record)
	c.mu.Lock()
	defer c.mu.Unlock()
	node, _ := c.nodes.Get(hash)
	return node
}

// verify decodes a record and checks its signature, unless that was done before.
func (c *recordCache) verify(record []byte) (*enode.Node, error) {
	if node := c.lookup(record); node != nil {
		return node, nil
	}
	var r enr.Record
	if err := rlp.DecodeBytes(record, &r); err != nil {
		return nil, err
	}
	node, err := enode.New(enode.ValidSchemes, &r)
	if err != nil {
		return nil, err
	}
	hash := sha256.Sum256(record)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes.Add(hash, node)
	return node, nil
}

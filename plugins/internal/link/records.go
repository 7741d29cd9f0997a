package link

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// recordBuffer takes a record's bytes as they are kept: no encoding, no copy but one.
type recordBuffer struct{ b []byte }

func (r *recordBuffer) Write(p []byte) (int, error) {
	r.b = append(r.b, p...)
	return len(p), nil
}

// recordOf is the RLP of a node's record; nil without one.
func recordOf(node *enode.Node) []byte {
	if node == nil {
		return nil
	}
	var w recordBuffer
	if node.Record().EncodeRLP(&w) != nil {
		return nil // it is not signed
	}
	return w.b
}

// maxRecords bounds the records of one plugin that were verified and are remembered, so that a plugin that keeps talking to
// the same nodes does not cost a signature check each time.
const maxRecords = 1024

// records verifies the records that a plugin names.
type records struct {
	verified *simplelru.LRU[[sha256.Size]byte, *enode.Node]
}

func newRecords() records {
	verified, _ := simplelru.NewLRU[[sha256.Size]byte, *enode.Node](maxRecords, nil) // it fails for sizes below one
	return records{verified}
}

// signatureCost is the work of checking a signature, in units of a talk call.
const signatureCost = 10

// verify returns the node of a record, and whether it was known before.
func (r records) verify(record []byte) (node *enode.Node, known bool, err error) {
	if len(record) > enr.SizeLimit {
		return nil, false, errors.New("larger than 300 bytes")
	}
	hash := sha256.Sum256(record)
	if node, ok := r.verified.Get(hash); ok {
		return node, true, nil
	}
	var e enr.Record
	if err := rlp.DecodeBytes(record, &e); err != nil {
		return nil, false, err
	}
	node, err = enode.New(enode.ValidSchemes, &e)
	if err != nil {
		return nil, false, err
	}
	r.verified.Add(hash, node)
	return node, false, nil
}

func randomID() (id enode.ID) {
	_, _ = rand.Read(id[:]) // it never fails
	return id
}

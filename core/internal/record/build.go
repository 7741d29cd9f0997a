package record

import (
	"bytes"
	"crypto/ecdsa"
	"fmt"
	"maps"
	"slices"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
)

// sigSize is the size of a "v4" signature in bytes: r and s, without a recovery id.
const sigSize = 64

// identity is the fields that say whose record it is.
func identity(key *ecdsa.PrivateKey) (map[string]field, error) {
	if key == nil || key.X == nil || key.Y == nil || key.D == nil || !crypto.S256().IsOnCurve(key.X, key.Y) {
		return nil, ErrBadKey
	}
	id, err := rlp.EncodeToBytes(enr.IDv4)
	if err != nil {
		return nil, fmt.Errorf("record: encode the identity scheme: %w", err)
	}
	public, err := rlp.EncodeToBytes(crypto.CompressPubkey(&key.PublicKey))
	if err != nil {
		return nil, fmt.Errorf("record: encode the public key: %w", err)
	}
	return map[string]field{"id": {Identity, id}, "secp256k1": {Identity, public}}, nil
}

// sign makes the signed record of fields. It refuses one that is too large before any work.
func sign(key *ecdsa.PrivateKey, seq uint64, fields map[string]field) (*enode.Node, error) {
	if u := usage(seq, fields); u.Size > u.Max {
		return nil, &TooLargeError{Size: u.Size, Max: u.Max, Owners: u.owners()}
	}
	r := unsigned(seq, fields)
	if err := enode.SignV4(r, key); err != nil {
		return nil, fmt.Errorf("record: sign: %w", err)
	}
	n, err := enode.New(enode.ValidSchemes, r)
	if err != nil {
		return nil, fmt.Errorf("record: check what was signed: %w", err)
	}
	return n, nil
}

// unsigned is the record of fields without a signature. Set keeps its keys sorted; it panics for a value that does not
// encode, which a raw value always does.
func unsigned(seq uint64, fields map[string]field) *enr.Record {
	var r enr.Record
	for _, k := range slices.Sorted(maps.Keys(fields)) {
		r.Set(enr.WithEntry(k, fields[k].value))
	}
	r.SetSeq(seq)
	return &r
}

// sameContent reports whether a signed record has exactly these fields.
func sameContent(r *enr.Record, fields map[string]field) bool {
	a, errA := rlp.EncodeToBytes(r.AppendElements(nil))
	b, errB := rlp.EncodeToBytes(unsigned(r.Seq(), fields).AppendElements(nil))
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

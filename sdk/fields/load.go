package fields

import (
	"errors"

	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
)

// Source is where fields are read from: an *enode.Node or an *enr.Record.
type Source interface {
	Load(enr.Entry) error
}

// Load reads one field: eth2, err := fields.Load[fields.Eth2](node). T is a type of this
// package or any other whose pointer is an enr.Entry, enr.UDP for example.
//
// The error wraps ErrAbsent if the record has no such key, and is a *DecodeError if it has
// one that cannot be decoded. T is then zero.
func Load[T any, P interface {
	*T
	enr.Entry
}](src Source) (T, error) {
	var v T
	if err := src.Load(P(&v)); err != nil {
		var zero T
		return zero, explain(src, P(&zero).ENRKey(), err)
	}
	return v, nil
}

// explain is loadError with the words of this package's decoder where the type belongs to
// another one, whose errors name Go types.
func explain(src Source, key string, err error) error {
	var de *DecodeError
	if !enr.IsNotFound(err) && !errors.As(err, &de) {
		var raw rlp.RawValue
		if src.Load(enr.WithEntry(key, &raw)) == nil {
			if f := DescribePair(key, raw); f.Err != nil {
				return f.Err
			}
		}
	}
	return loadError(key, err)
}

// Encode returns the RLP of a field's value as it stands in a record. It fails where
// enr.Record.Set would panic: on a value that its field cannot carry. The error is a
// *DecodeError for the types of this package.
func Encode(e enr.Entry) ([]byte, error) {
	raw, err := rlp.EncodeToBytes(e)
	if err != nil {
		return nil, loadError(e.ENRKey(), err)
	}
	return raw, nil
}

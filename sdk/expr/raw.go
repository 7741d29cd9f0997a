package expr

import (
	"errors"
	"reflect"
	"unicode/utf8"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"github.com/discv5/host/sdk/fields"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
)

// view is the record as a map from key to value, in one reading of the values.
type view struct {
	r    *record
	typ  *types.Type
	read func(raw []byte) (ref.Val, error)
}

// rawEntry loads the RLP of any value.
type rawEntry struct {
	key string
	raw rlp.RawValue
}

// ENRKey returns the key that is looked for.
func (e *rawEntry) ENRKey() string { return e.key }

// DecodeRLP keeps the value as it is.
func (e *rawEntry) DecodeRLP(s *rlp.Stream) (err error) {
	e.raw, err = s.Raw()
	return err
}

// Find returns the value of a key. It is an error if the value cannot be read so.
func (v *view) Find(key ref.Val) (ref.Val, bool) {
	name, ok := key.(types.String)
	if !ok {
		return nil, false
	}
	e := rawEntry{key: string(name)}
	if err := v.r.node.Load(&e); err != nil {
		if enr.IsNotFound(err) {
			return nil, false
		}
		return types.WrapErr(damaged(e.key, err)), false
	}
	out, err := v.read(e.raw)
	if err != nil {
		if d, ok := errors.AsType[*fields.DecodeError](err); ok {
			d.Key = e.key
		}
		return types.WrapErr(damaged(e.key, err)), false
	}
	return out, true
}

// Get returns the value of a key, or an error.
func (v *view) Get(key ref.Val) ref.Val {
	if out, ok := v.Find(key); ok || out != nil {
		return out
	}
	name, _ := key.(types.String)
	return types.WrapErr(absent(string(name)))
}

// Contains reports whether the record has a key.
func (v *view) Contains(key ref.Val) ref.Val {
	name, ok := key.(types.String)
	return types.Bool(ok && v.r.has(string(name)))
}

// Size returns the number of keys.
func (v *view) Size() ref.Val { return types.Int(len(v.r.keys())) }

// Iterator goes over the keys, in the record's order.
func (v *view) Iterator() traits.Iterator {
	return types.NewStringList(types.DefaultTypeAdapter, v.r.keys()).Iterator()
}

// ConvertToNative fails: values do not leave an expression.
func (v *view) ConvertToNative(reflect.Type) (any, error) { return nil, errOpaque }

// ConvertToType fails, but for the type itself.
func (v *view) ConvertToType(t ref.Type) ref.Val {
	if t == types.TypeType {
		return types.MapType
	}
	return types.WrapErr(errOpaque)
}

// Equal reports whether both are the same view of the same record.
func (v *view) Equal(other ref.Val) ref.Val {
	o, ok := other.(*view)
	return types.Bool(ok && o.r == v.r && o.typ == v.typ)
}

// Type returns the type of maps.
func (v *view) Type() ref.Type { return types.MapType }

// Value returns v.
func (v *view) Value() any { return v }

// keys returns the keys of the record, sorted, as text.
func (r *record) keys() []string {
	elems := r.node.Record().AppendElements(nil) // the sequence number, then keys and values
	out := make([]string, 0, len(elems)/2)
	for i := 1; i < len(elems); i += 2 {
		key, _ := elems[i].(string)
		out = append(out, string(text(key)))
	}
	return out
}

func readRaw(raw []byte) (ref.Val, error) { return types.Bytes(raw), nil }

func readBytes(raw []byte) (ref.Val, error) {
	kind, content, rest, err := rlp.Split(raw)
	switch {
	case err != nil:
		return nil, err
	case kind == rlp.List || len(rest) > 0:
		return nil, &fields.DecodeError{Problem: fields.ProblemKind, Detail: "a list, want a byte string"}
	}
	return types.Bytes(content), nil
}

func readText(raw []byte) (ref.Val, error) {
	b, err := readBytes(raw)
	if err != nil {
		return nil, err
	}
	s := string(b.(types.Bytes))
	if !utf8.ValidString(s) {
		return nil, &fields.DecodeError{Problem: fields.ProblemValue, Detail: "not text in UTF-8"}
	}
	return types.String(s), nil
}

// readNumber reads a big-endian integer of at most 8 bytes; leading zeros are accepted, as in
// package fields.
func readNumber(raw []byte) (ref.Val, error) {
	b, err := readBytes(raw)
	if err != nil {
		return nil, err
	}
	digits := []byte(b.(types.Bytes))
	for len(digits) > 0 && digits[0] == 0 {
		digits = digits[1:]
	}
	if len(digits) > 8 {
		return nil, &fields.DecodeError{Problem: fields.ProblemLength, Detail: "an integer of more than 8 bytes"}
	}
	var n uint64
	for _, c := range digits {
		n = n<<8 | uint64(c)
	}
	return number(n), nil
}

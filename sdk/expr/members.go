package expr

import (
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"github.com/discv5/host/sdk/fields"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

var enrType = newObject("Enr", enrMembers()...)

var nodeType = newObject("Node",
	nodeMember("id", types.StringType, "node id, 64 hex digits", 64, func(r *record) (any, error) { return types.String(r.node.ID().String()), nil }),
	nodeMember("seq", types.IntType, "sequence number of the record", 0, func(r *record) (any, error) { return number(r.node.Seq()), nil }),
	nodeMember("distance", types.IntType, "log distance to the own node, 0 to 256, where that is known", 0, func(r *record) (any, error) {
		if !r.settings.selfKnown {
			return nil, noDistance
		}
		return types.Int(enode.LogDist(r.settings.self, r.node.ID())), nil
	}),
)

var noDistance = absent("distance")

// enrMembers are the fields of enrFields and what is computed from a whole record.
func enrMembers() []*member {
	var out []*member
	for i, f := range enrFields {
		size := uint64(0)
		switch f.typ.Kind() {
		case types.StringKind, types.BytesKind:
			size = maxText
		case types.ListKind:
			size = maxKeys
		}
		out = append(out, &member{
			name: f.name, typ: f.typ, doc: f.doc, size: size,
			get: func(of any) (any, error) {
				r, ok := of.(*record)
				if !ok {
					return nil, errOpaque
				}
				v, err := r.field(i)
				if err != nil {
					return nil, err
				}
				return v, nil
			},
			set: func(of any) bool {
				r, ok := of.(*record)
				if !ok {
					return false
				}
				_, err := r.field(i)
				return err == nil
			},
		})
	}
	return append(out,
		enrMember("seq", types.IntType, "sequence number", 0, func(r *record) any { return number(r.node.Seq()) }),
		enrMember("size", types.IntType, "bytes of the record", 0, func(r *record) any { return number(r.node.Record().Size()) }),
		enrMember("keys", types.NewListType(types.StringType), "keys, sorted", maxKeys, func(r *record) any {
			return types.NewStringList(types.DefaultTypeAdapter, r.keys())
		}),
		viewMember("raw", types.BytesType, "RLP of the value under a key", readRaw),
		viewMember("bytes", types.BytesType, "byte string under a key", readBytes),
		viewMember("text", types.StringType, "text under a key", readText),
		viewMember("number", types.IntType, "integer under a key", readNumber),
		&member{
			name: "custody_columns", typ: bitsType.typ, doc: "columns in custody, computed of node id and cgc",
			get: func(of any) (any, error) {
				r, ok := of.(*record)
				if !ok {
					return nil, errOpaque
				}
				c, err := r.custodyColumns()
				if err != nil {
					return nil, err
				}
				return bitsOf(c), nil
			},
			set: func(of any) bool {
				r, ok := of.(*record)
				if !ok {
					return false
				}
				_, err := r.field(fieldCGC)
				return err == nil
			},
		},
	)
}

func enrMember(name string, typ *types.Type, doc string, size uint64, get func(r *record) any) *member {
	return &member{
		name: name, typ: typ, doc: doc, size: size,
		get: func(of any) (any, error) {
			r, ok := of.(*record)
			if !ok {
				return nil, errOpaque
			}
			return get(r), nil
		},
		set: func(of any) bool { _, ok := of.(*record); return ok },
	}
}

func viewMember(name string, typ *types.Type, doc string, read func([]byte) (ref.Val, error)) *member {
	m := types.NewMapType(types.StringType, typ)
	return enrMember(name, m, doc, maxKeys, func(r *record) any { return &view{r, m, read} })
}

func nodeMember(name string, typ *types.Type, doc string, size uint64, get func(r *record) (any, error)) *member {
	return &member{
		name: name, typ: typ, doc: doc, size: size,
		get: func(of any) (any, error) {
			v, ok := of.(*value[*record])
			if !ok {
				return nil, errOpaque
			}
			return get(v.v)
		},
		set: func(of any) bool {
			v, ok := of.(*value[*record])
			if !ok {
				return false
			}
			_, err := get(v.v)
			return err == nil
		},
	}
}

// custodyColumns computes the columns once for an evaluation. Without a usable cgc there are none:
// what such a node is held to is for the expression to say.
func (r *record) custodyColumns() (fields.Bitvector, *missing) {
	if r.columns == nil {
		cgc, err := r.field(fieldCGC)
		if err != nil {
			return nil, err
		}
		count, _ := cgc.(types.Int)
		columns := make(fields.Bitvector, fields.NumberOfColumns/8)
		for _, c := range fields.CustodyColumns(r.node.ID(), uint64(max(count, 0))) {
			columns[c/8] |= 1 << (c % 8)
		}
		r.columns = columns
	}
	return r.columns, nil
}

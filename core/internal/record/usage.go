package record

import (
	"cmp"
	"slices"

	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
)

// Field is one field of the record: its key, its owner, and the encoded size of key and value in bytes.
type Field struct {
	Key   string
	Owner string
	Size  int
}

// OwnerSize is how many bytes the fields of one owner take.
type OwnerSize struct {
	Owner string
	Size  int
}

// Usage says what the record is made of. The sizes of the fields and Fixed add up to Size.
type Usage struct {
	Fields []Field // sorted by key
	Fixed  int     // bytes of signature, sequence number and list header
	Size   int     // bytes of the whole record
	Max    int     // bytes it may have
}

// usage measures the record that fields would make with seq, once signed.
func usage(seq uint64, fields map[string]field) Usage {
	u := Usage{Max: enr.SizeLimit}
	var sum uint64
	for key, f := range fields {
		size := rlp.StringSize(key) + uint64(len(f.value))
		sum += size
		u.Fields = append(u.Fields, Field{key, f.owner, int(size)})
	}
	slices.SortFunc(u.Fields, func(a, b Field) int { return cmp.Compare(a.Key, b.Key) })
	signature := 1 + sigSize + 1 // a string above 55 bytes has a two-byte header
	u.Size = int(rlp.ListSize(uint64(signature) + uint64(rlp.IntSize(seq)) + sum))
	u.Fixed = u.Size - int(sum)
	return u
}

// owners sums up the fields per owner, largest first.
func (u Usage) owners() []OwnerSize {
	sizes := make(map[string]int)
	for _, f := range u.Fields {
		sizes[f.Owner] += f.Size
	}
	list := make([]OwnerSize, 0, len(sizes))
	for owner, size := range sizes {
		list = append(list, OwnerSize{owner, size})
	}
	slices.SortFunc(list, func(a, b OwnerSize) int {
		return cmp.Or(cmp.Compare(b.Size, a.Size), cmp.Compare(a.Owner, b.Owner))
	})
	return list
}

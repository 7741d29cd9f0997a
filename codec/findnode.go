package codec

import (
	"iter"

	"github.com/ethereum/go-ethereum/rlp"
)

// FindNode asks for the records of nodes at the given distances from the
// recipient. Distance 0 is the recipient itself.
type FindNode struct {
	RequestID RequestID
	Distances Distances
}

// Distances is a set of log2 distances, 0 to 256, in the order they were added.
// It has room for all of them (about half a kilobyte) and never allocates. The
// zero value is empty.
type Distances struct {
	seen [MaxDistance/64 + 1]uint64
	size uint16
	list [MaxDistance + 1]uint16
}

// NewDistances returns the set of the given distances; see Add.
func NewDistances(distances ...int) Distances {
	var d Distances
	for _, dist := range distances {
		d.Add(dist)
	}
	return d
}

// Add puts a distance at the end and reports whether it did. Duplicates and
// what is no distance (negative, or beyond MaxDistance) are left out.
func (d *Distances) Add(distance int) bool {
	if distance < 0 || distance > MaxDistance || d.Contains(distance) {
		return false
	}
	d.seen[distance/64] |= 1 << (distance % 64)
	d.list[d.size] = uint16(distance)
	d.size++
	return true
}

// Contains reports whether a distance is in the set.
func (d *Distances) Contains(distance int) bool {
	return distance >= 0 && distance <= MaxDistance && d.seen[distance/64]&(1<<(distance%64)) != 0
}

// Len returns the number of distances, 0 to 257.
func (d *Distances) Len() int { return int(d.size) }

// At returns the i-th distance, 0 <= i < Len.
func (d *Distances) At(i int) int { return int(d.list[:d.size][i]) }

// All ranges over the distances in order.
func (d *Distances) All() iter.Seq[int] {
	return func(yield func(int) bool) {
		for _, dist := range d.list[:d.size] {
			if !yield(int(dist)) {
				return
			}
		}
	}
}

// ParseFindNode parses the data of a FINDNODE; see ParsePing for the errors.
// Duplicate distances and those beyond MaxDistance are skipped, however many
// there are, so that the result may have none.
//
//	message-data = [request-id, [distance₁, distance₂, ..., distanceₙ]]
func ParseFindNode(body []byte) (FindNode, error) {
	id, fields, err := splitRequestID(body)
	if err != nil {
		return FindNode{}, err
	}
	list, fields, err := rlp.SplitList(fields)
	if err != nil {
		return FindNode{}, ErrMessage
	}
	if err := checkExtra(fields); err != nil {
		return FindNode{}, err
	}
	m := FindNode{RequestID: id}
	for len(list) > 0 {
		var dist uint64
		if dist, list, err = rlp.SplitUint64(list); err != nil {
			return FindNode{}, ErrMessage
		}
		if dist <= MaxDistance {
			m.Distances.Add(int(dist))
		}
	}
	return m, nil
}

// Append appends the message, type included.
func (m FindNode) Append(dst []byte) []byte {
	size := 0
	for _, dist := range m.Distances.list[:m.Distances.size] {
		size += rlp.IntSize(uint64(dist))
	}
	dst = appendHead(dst, FindNodeType, m.RequestID.encodedSize()+int(rlp.ListSize(uint64(size))), m.RequestID)
	dst = appendListHeader(dst, size)
	for _, dist := range m.Distances.list[:m.Distances.size] {
		dst = rlp.AppendUint64(dst, uint64(dist))
	}
	return dst
}

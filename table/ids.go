package table

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// MaxDistance is the largest log distance between two node ids.
const MaxDistance = 256

// key is a node id as four big-endian words, for comparing and branching without loops over bytes.
type key [4]uint64

func keyOf(id enode.ID) key {
	return key{
		binary.BigEndian.Uint64(id[0:]), binary.BigEndian.Uint64(id[8:]),
		binary.BigEndian.Uint64(id[16:]), binary.BigEndian.Uint64(id[24:]),
	}
}

func (k key) id() (id enode.ID) {
	for i, w := range k {
		binary.BigEndian.PutUint64(id[8*i:], w)
	}
	return id
}

// bit returns bit i, 0 being the most significant one.
func (k *key) bit(i int) uint64 { return k[i>>6] >> (63 - uint(i)&63) & 1 }

func (k key) xor(o key) key { return key{k[0] ^ o[0], k[1] ^ o[1], k[2] ^ o[2], k[3] ^ o[3]} }

func (k *key) less(o *key) bool {
	for i, w := range k {
		if w != o[i] {
			return w < o[i]
		}
	}
	return false
}

// logDist is the log distance of two keys.
func logDist(a, b *key) int {
	for i := range a {
		if x := a[i] ^ b[i]; x != 0 {
			return MaxDistance - 64*i - bits.LeadingZeros64(x)
		}
	}
	return 0
}

// LogDist returns the log distance of two ids, 0 for equal ones, at most MaxDistance.
//
// discv5-theory.md: "logdistance(n₁, n₂) = log2(distance(n₁, n₂))"; here, as on the wire, it is the number of bits of
// the distance, so that neighbours in the last bit are 1 apart.
func LogDist(a, b enode.ID) int {
	ka, kb := keyOf(a), keyOf(b)
	return logDist(&ka, &kb)
}

// IDAtDistance returns the id that differs from id in one bit and is at log distance d: id XOR 2^(d-1).
// A d below 1 gives id itself, one above MaxDistance counts as MaxDistance.
func IDAtDistance(id enode.ID, d int) enode.ID {
	if d < 1 {
		return id
	}
	bit := min(d, MaxDistance) - 1
	id[len(id)-1-bit/8] ^= 1 << (bit % 8)
	return id
}

// RandomIDAtDistance returns a random id at log distance d of id; d is taken as in IDAtDistance.
func RandomIDAtDistance(r *rand.Rand, id enode.ID, d int) enode.ID {
	d = min(d, MaxDistance)
	out := IDAtDistance(id, d)
	for bit := 0; bit < d-1; bit++ { // Every bit below the one that makes the distance is free.
		if bit%64 == 0 {
			w := r.Uint64()
			for i := bit; i < min(bit+64, d-1); i++ {
				out[len(out)-1-i/8] ^= byte(w>>(i-bit)&1) << (i % 8)
			}
		}
	}
	return out
}

// RandomID returns a random id, as a target of a random lookup.
func RandomID(r *rand.Rand) enode.ID {
	return key{r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64()}.id()
}

package fields

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// Custody parameters. Specification: consensus-specs fulu/das-core.md; both networks and
// presets in use have as many groups as columns.
const (
	NumberOfCustodyGroups = 128 // NUMBER_OF_CUSTODY_GROUPS
	NumberOfColumns       = 128 // NUMBER_OF_COLUMNS
	CustodyRequirement    = 4   // CUSTODY_REQUIREMENT: what a node without a usable cgc is held to
	SamplesPerSlot        = 8   // SAMPLES_PER_SLOT
)

// CustodyGroups returns the custody groups of a node that advertises cgc of them, ascending:
// get_custody_groups of consensus-specs fulu/das-core.md. A cgc above NumberOfCustodyGroups,
// which the specification forbids, counts as that. Below it, each call computes about cgc
// SHA-256 hashes, and 700 in the worst usual case.
func CustodyGroups(id enode.ID, cgc uint64) []uint64 {
	cgc = min(cgc, NumberOfCustodyGroups)
	var in [NumberOfCustodyGroups]bool
	if cgc == NumberOfCustodyGroups {
		for g := range in {
			in[g] = true
		}
	} else {
		selectGroups(id, cgc, &in)
	}
	out := make([]uint64, 0, cgc)
	for g, ok := range in {
		if ok {
			out = append(out, uint64(g))
		}
	}
	return out
}

// selectGroups marks the first n different groups that the id's hash chain names.
func selectGroups(id enode.ID, n uint64, in *[NumberOfCustodyGroups]bool) {
	// "current_id = uint256(node_id)", kept as uint_to_bytes gives it: little endian.
	var cur [32]byte
	for i, b := range id {
		cur[31-i] = b
	}
	for found := uint64(0); found < n; {
		// "bytes_to_uint64(hash(uint_to_bytes(current_id))[0:8]) % NUMBER_OF_CUSTODY_GROUPS"
		h := sha256.Sum256(cur[:])
		g := binary.LittleEndian.Uint64(h[:8]) % NumberOfCustodyGroups
		if !in[g] {
			in[g] = true
			found++
		}
		// "current_id += 1"; from the highest value it goes on with 0.
		for i := range cur {
			cur[i]++
			if cur[i] != 0 {
				break
			}
		}
	}
}

// CustodyColumns returns the data columns that a node with the given cgc custodies, ascending:
// compute_columns_for_custody_group of every custody group. A node samples the columns of
// max(cgc, SamplesPerSlot).
func CustodyColumns(id enode.ID, cgc uint64) []uint64 {
	groups := CustodyGroups(id, cgc)
	out := make([]uint64, 0, len(groups)*(NumberOfColumns/NumberOfCustodyGroups))
	// "NUMBER_OF_CUSTODY_GROUPS * i + custody_group for i in range(columns_per_group)"
	for i := uint64(0); i < NumberOfColumns/NumberOfCustodyGroups; i++ {
		for _, g := range groups {
			out = append(out, NumberOfCustodyGroups*i+g)
		}
	}
	return out
}

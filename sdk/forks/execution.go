package forks

import (
	"encoding/binary"
	"hash/crc32"
	"time"

	"github.com/discv5/host/sdk/fields"
)

// Execution is the schedule of an execution layer, by EIP-2124. A filter has no chain: forks at
// blocks count as passed, forks at times as passed from then on.
type Execution struct {
	Forks []ExecutionFork // in the order in which they happen: blocks, then times

	sums   []fields.Bytes4 // sums[i] is FORK_HASH after i forks
	blocks int             // how many forks are at blocks
}

// ExecutionFork is one fork; forks at the same block or time count as one.
type ExecutionFork struct {
	Name  string
	Block uint64 // 0 if it is at a time
	Time  uint64 // Unix seconds; 0 if it is at a block
}

// point is what FORK_HASH and FORK_NEXT are made of.
func (f ExecutionFork) point() uint64 { return max(f.Block, f.Time) }

// newExecution computes the hashes. EIP-2124: "FORK_HASH: IEEE CRC32 checksum ([4]byte) of the genesis hash and fork blocks
// numbers that already passed", as big-endian uint64.
func newExecution(genesis [32]byte, forks []ExecutionFork) *Execution {
	e := &Execution{Forks: forks}
	sum := crc32.ChecksumIEEE(genesis[:])
	e.sums = append(e.sums, bytes4(sum))
	for _, f := range forks {
		sum = crc32.Update(sum, crc32.IEEETable, binary.BigEndian.AppendUint64(nil, f.point()))
		e.sums = append(e.sums, bytes4(sum))
		if f.Time == 0 {
			e.blocks++
		}
	}
	return e
}

func bytes4(n uint32) fields.Bytes4 { return fields.Bytes4(binary.BigEndian.AppendUint32(nil, n)) }

// passed returns how many forks are over at a time.
func (e *Execution) passed(now time.Time) int {
	i := e.blocks
	for i < len(e.Forks) && uint64(max(now.Unix(), 0)) >= e.Forks[i].Time {
		i++
	}
	return i
}

// ID returns the fork identifier of a node that is on the network and in sync at a time.
func (e *Execution) ID(now time.Time) fields.ForkID {
	i := e.passed(now)
	return fields.ForkID{Hash: e.sums[i], Next: e.next(i)}
}

// next returns FORK_NEXT after i forks.
func (e *Execution) next(i int) uint64 {
	if i < len(e.Forks) {
		return e.Forks[i].point()
	}
	return 0
}

// accepts applies the four rules of EIP-2124.
func (e *Execution) accepts(id fields.ForkID, now time.Time) Verdict {
	i := e.passed(now)
	v := Verdict{Until: e.boundary(now)}
	switch j := e.index(id.Hash); {
	case j < 0:
		// "4. Reject in all other cases."
		return Verdict{Reason: ReasonForeign}
	case j == i && id.Next > 0 && e.reached(id.Next, now):
		// "1) If local and remote FORK_HASH matches, compare local head to FORK_NEXT."
		// "1a) A remotely announced but remotely not passed block is already passed locally, disconnect"
		v.Reason = ReasonSplit
	case j == i:
		// "1b) No remotely announced fork; or not yet passed locally, connect."
		v.Accepted = true
		if id.NextIsTime() && id.Next < maxTime {
			v.Until = earlier(v.Until, time.Unix(int64(id.Next), 0))
		}
	case j < i && e.next(j) != id.Next:
		// "2) If the remote FORK_HASH is a subset of the local past forks and the remote FORK_NEXT matches with the locally
		// following fork block number, connect."
		v.Reason = ReasonStale
	default:
		// Rule 2, or "3) If the remote FORK_HASH is a superset of the local past forks and can be completed with locally known
		// future forks, connect."
		v.Accepted = true
	}
	return v
}

// maxTime keeps times of strangers within what package time can do arithmetic with and JSON can show: the year 9999.
const maxTime = 253370764800

// reached reports whether the local head is beyond a fork that a record announces. Where the schedule
// has forks at times, a block number is: no fork at a block follows those.
func (e *Execution) reached(next uint64, now time.Time) bool {
	if e.blocks == len(e.Forks) && next < firstTime {
		return e.blocks > 0 && e.Forks[e.blocks-1].Block >= next
	}
	return uint64(max(now.Unix(), 0)) >= next
}

// firstTime separates blocks from times, as fields.ForkID.NextIsTime does.
const firstTime = 1438269973

// prepared reports whether an accepted identifier knows the fork that comes next. Where none is scheduled, one that knows more than
// the schedule does.
func (e *Execution) prepared(id fields.ForkID, now time.Time) bool {
	i, j := e.passed(now), e.index(id.Hash)
	return j > i || j == i && (id.Next == e.next(i) || e.next(i) == 0)
}

// index returns after how many forks FORK_HASH is this; -1 if never.
func (e *Execution) index(hash fields.Bytes4) int {
	for i := len(e.sums) - 1; i >= 0; i-- { // newest first: that is what most records have
		if e.sums[i] == hash {
			return i
		}
	}
	return -1
}

// boundary returns when the next fork happens; zero if none is scheduled.
func (e *Execution) boundary(now time.Time) time.Time {
	if i := e.passed(now); i < len(e.Forks) {
		return time.Unix(int64(e.Forks[i].Time), 0)
	}
	return time.Time{}
}

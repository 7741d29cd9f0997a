package forks

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/discv5/host/sdk/fields"
)

// Consensus is the schedule of a beacon chain.
type Consensus struct {
	Forks []ConsensusFork // in order; the first is genesis
}

// ConsensusFork is one span of time with a fork digest of its own: a fork, or a change of the number
// of blobs alone.
type ConsensusFork struct {
	Name    string
	Epoch   uint64
	Start   time.Time // of the epoch
	Version fields.Bytes4
	Digest  fields.Bytes4
	Blobs   bool // a change of the number of blobs; the version is that of the fork before
}

// blobParameters are BlobParameters of consensus-specs fulu.
type blobParameters struct{ epoch, maxBlobs uint64 }

// forkDataRoot is compute_fork_data_root of consensus-specs phase0/beacon-chain.md: the hash tree root of
// ForkData(current_version, genesis_validators_root), two chunks of 32 bytes.
func forkDataRoot(version fields.Bytes4, root [32]byte) [32]byte {
	var chunks [64]byte
	copy(chunks[:], version[:])
	copy(chunks[32:], root[:])
	return sha256.Sum256(chunks[:])
}

// digest is compute_fork_digest: of consensus-specs phase0 where blobs is nil, and of fulu/beacon-chain.md otherwise:
// "base_digest XOR hash(uint_to_bytes(blob_parameters.epoch) + uint_to_bytes(blob_parameters.max_blobs_per_block))".
func digest(version fields.Bytes4, root [32]byte, blobs *blobParameters) fields.Bytes4 {
	base := forkDataRoot(version, root)
	if blobs != nil {
		b := binary.LittleEndian.AppendUint64(nil, blobs.epoch)
		mask := sha256.Sum256(binary.LittleEndian.AppendUint64(b, blobs.maxBlobs))
		for i := range base {
			base[i] ^= mask[i]
		}
	}
	return fields.Bytes4(base[:4])
}

// Current returns the fork of a time, and the one after it, nil if none is scheduled. Before genesis
// it is the first.
func (c *Consensus) Current(now time.Time) (current, next *ConsensusFork) {
	i := c.at(now)
	if i+1 < len(c.Forks) {
		next = &c.Forks[i+1]
	}
	return &c.Forks[i], next
}

func (c *Consensus) at(now time.Time) int {
	i := len(c.Forks) - 1
	for i > 0 && now.Before(c.Forks[i].Start) {
		i--
	}
	return i
}

// accepts reports whether a digest is that of the time now, or of a time less than grace away.
func (c *Consensus) accepts(d fields.Bytes4, nfd *fields.Bytes4, now time.Time, grace time.Duration) Verdict {
	i := c.index(d)
	if i < 0 {
		return Verdict{Reason: ReasonForeign}
	}
	if begin := c.Forks[i].Start.Add(-grace); i > 0 && now.Before(begin) {
		return Verdict{Reason: ReasonEarly, Until: begin}
	}
	if i+1 == len(c.Forks) {
		return Verdict{Accepted: true}
	}
	next := c.Forks[i+1]
	end := next.Start.Add(grace)
	switch {
	case !now.Before(end):
		return Verdict{Reason: ReasonOld}
	// "nfd": nodes "MUST NOT disconnect before the boundary" over a different next fork and may after it.
	case nfd != nil && *nfd != (fields.Bytes4{}) && *nfd != next.Digest:
		if !now.Before(next.Start) {
			return Verdict{Reason: ReasonSplit}
		}
		end = next.Start
	}
	return Verdict{Accepted: true, Until: end}
}

// prepared reports whether a record announces the next fork, or is on it already.
func (c *Consensus) prepared(e fields.Eth2, nfd *fields.Bytes4, now time.Time) bool {
	i, j := c.at(now), c.index(e.ForkDigest)
	switch {
	case j != i:
		return j > i // within the grace windows of more than one fork, it may be further ahead
	case i+1 == len(c.Forks):
		return true
	case nfd != nil:
		return *nfd == c.Forks[i+1].Digest
	}
	// Without nfd, eth2 tells the next fork that has a version.
	for _, f := range c.Forks[i+1:] {
		if !f.Blobs {
			return e.NextForkEpoch == f.Epoch && e.NextForkVersion == f.Version
		}
	}
	return true
}

// index returns the latest fork with a digest; -1 if there is none.
func (c *Consensus) index(d fields.Bytes4) int {
	for i := len(c.Forks) - 1; i >= 0; i-- {
		if c.Forks[i].Digest == d {
			return i
		}
	}
	return -1
}

// boundary returns when the next fork happens; zero if none is scheduled.
func (c *Consensus) boundary(now time.Time) time.Time {
	if _, next := c.Current(now); next != nil {
		return next.Start
	}
	return time.Time{}
}

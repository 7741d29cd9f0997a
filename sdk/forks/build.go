package forks

import (
	"encoding/hex"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/discv5/host/sdk/fields"
	"github.com/hashicorp/hcl/v2"
)

// Mainnet's preset, which all public networks share.
const (
	secondsPerSlot = 12 // SECONDS_PER_SLOT
	slotsPerEpoch  = 32 // SLOTS_PER_EPOCH
)

// withBlobs are the forks at and after which digests depend on the number of blobs, as far as they have names. A network may begin
// with any of them.
var withBlobs = []string{"fulu", "gloas", "heze"}

var (
	validName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`)
	validFork = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._-]{0,31}$`)
)

func (b *networkBlock) network() (*Network, error) {
	n := &Network{Name: b.Name, grace: DefaultGrace}
	if !validName.MatchString(b.Name) {
		return nil, at(b.Range, "the name %q is not made of 1 to 32 of a-z, 0-9, _ and -", b.Name)
	}
	if b.Execution == nil && b.Consensus == nil {
		return nil, at(b.Range, "network %q has neither an execution nor a consensus block", b.Name)
	}
	var err error
	if b.Execution != nil {
		if n.Execution, err = b.Execution.schedule(); err != nil {
			return nil, err
		}
	}
	if b.Consensus != nil {
		if n.Consensus, err = b.Consensus.schedule(); err != nil {
			return nil, err
		}
	}
	return n, nil
}

func (b *executionBlock) schedule() (*Execution, error) {
	var genesis [32]byte
	if err := readHex(b.Range, "genesis_hash", b.GenesisHash, genesis[:]); err != nil {
		return nil, err
	}
	if len(b.Forks) > maxForks {
		return nil, at(b.Range, "%d forks, at most %d are allowed", len(b.Forks), maxForks)
	}
	var forks []ExecutionFork
	for _, f := range b.Forks {
		if err := checkFork(f.Range, f.Name); err != nil {
			return nil, err
		}
		fork := ExecutionFork{Name: f.Name}
		switch {
		case (f.Block == nil) == (f.Time == nil):
			return nil, at(f.Range, "fork %q needs either block or time", f.Name)
		case f.Block != nil && (*f.Block == 0 || *f.Block >= firstTime):
			return nil, at(f.Range, "block %d of fork %q is not in 1..%d; forks at genesis are left out", *f.Block, f.Name, firstTime-1)
		case f.Block != nil:
			fork.Block = *f.Block
		case *f.Time < firstTime || *f.Time > maxTime:
			return nil, at(f.Range, "time %d of fork %q is not in %d..%d, in Unix seconds", *f.Time, f.Name, firstTime, uint64(maxTime))
		default:
			fork.Time = *f.Time
		}
		if i := len(forks); i > 0 && forks[i-1].point() >= fork.point() { // blocks are below all times
			return nil, at(f.Range, "fork %q does not come after %q: forks stand in order, blocks before times, those at one time as one", f.Name, forks[i-1].Name)
		}
		forks = append(forks, fork)
	}
	e := newExecution(genesis, forks)
	for i, f := range b.Forks {
		if err := checkTag(f.Range, "hash", f.Hash, e.sums[i+1]); err != nil {
			return nil, err
		}
	}
	return e, nil
}

func (b *consensusBlock) schedule() (*Consensus, error) {
	var root [32]byte
	if b.ValidatorsRoot != nil {
		if err := readHex(b.Range, "genesis_validators_root", *b.ValidatorsRoot, root[:]); err != nil {
			return nil, err
		}
	}
	seconds, slots := uint64(secondsPerSlot), uint64(slotsPerEpoch)
	if b.SecondsPerSlot != nil {
		seconds = *b.SecondsPerSlot
	}
	if b.SlotsPerEpoch != nil {
		slots = *b.SlotsPerEpoch
	}
	if seconds == 0 || slots == 0 || seconds > 1<<16 || slots > 1<<16 || b.GenesisTime > maxTime {
		return nil, at(b.Range, "seconds_per_slot, slots_per_epoch or genesis_time is out of range")
	}
	steps, err := b.steps()
	if err != nil {
		return nil, err
	}
	c := new(Consensus)
	var version fields.Bytes4
	var blobs *blobParameters
	fulu := false
	for _, s := range steps {
		if s.version != nil {
			if err := readHex(s.at, "version", *s.version, version[:]); err != nil {
				return nil, err
			}
			fulu = fulu || slices.Contains(withBlobs, strings.ToLower(s.name))
		}
		if s.maxBlobs != nil {
			blobs = &blobParameters{s.epoch, *s.maxBlobs}
		}
		if s.epoch > (maxTime-b.GenesisTime)/(seconds*slots) {
			return nil, at(s.at, "epoch %d of %q is too late; leave out what is not scheduled", s.epoch, s.name)
		}
		f := ConsensusFork{
			Name: s.name, Epoch: s.epoch, Version: version, Blobs: s.version == nil,
			Start: time.Unix(int64(b.GenesisTime+s.epoch*seconds*slots), 0),
		}
		switch {
		case b.ValidatorsRoot == nil && s.digest == nil:
			return nil, at(s.at, "%q needs a digest, because there is no genesis_validators_root to compute it of", s.name)
		case b.ValidatorsRoot == nil:
			if err := readHex(s.at, "digest", *s.digest, f.Digest[:]); err != nil {
				return nil, err
			}
		default:
			params := blobs
			switch {
			case !fulu:
				params = nil
			case params == nil:
				return nil, at(s.at, "the digest of %q depends on the number of blobs: write max_blobs in the fork that set it last, such as electra", s.name)
			}
			f.Digest = digest(version, root, params)
			if err := checkTag(s.at, "digest", s.digest, f.Digest); err != nil {
				return nil, err
			}
		}
		if i := c.index(f.Digest); i >= 0 {
			return nil, at(s.at, "%q has the digest of %q, %s; digests depend on versions, and on blobs from the fork \"fulu\" on", f.Name, c.Forks[i].Name, f.Digest)
		}
		c.Forks = append(c.Forks, f)
	}
	return c, nil
}

// step is a fork or a change of blobs, as they follow each other.
type step struct {
	name     string
	epoch    uint64
	version  *string // nil: blobs only
	maxBlobs *uint64
	digest   *string
	at       hcl.Range
}

// steps returns forks and changes of blobs in order of their epochs, which differ.
func (b *consensusBlock) steps() ([]step, error) {
	var out []step
	for _, f := range b.Forks {
		out = append(out, step{f.Name, f.Epoch, &f.Version, f.MaxBlobs, f.Digest, f.Range})
	}
	for _, f := range b.Blobs {
		out = append(out, step{f.Name, f.Epoch, nil, &f.MaxBlobs, f.Digest, f.Range})
	}
	if len(out) > maxForks {
		return nil, at(b.Range, "%d forks, at most %d are allowed", len(out), maxForks)
	}
	for _, s := range out {
		if err := checkFork(s.at, s.name); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(out, func(x, y step) int {
		if x.epoch < y.epoch {
			return -1
		}
		return min(1, int(min(x.epoch-y.epoch, math.MaxInt32)))
	})
	if len(out) == 0 || out[0].version == nil || out[0].epoch != 0 {
		return nil, at(b.Range, "the first fork must be at epoch 0, and have a version")
	}
	for i := range out[1:] {
		switch {
		case out[i].epoch != out[i+1].epoch:
		case out[i].version == nil || out[i+1].version == nil:
			return nil, at(out[i+1].at, "%q is at the same epoch as %q; if one of them is a fork, write the max_blobs of the other there", out[i+1].name, out[i].name)
		default:
			return nil, at(out[i+1].at, "%q is at the same epoch as %q; only the later of them counts, so leave the other out", out[i+1].name, out[i].name)
		}
	}
	return out, nil
}

// checkFork refuses names that no table can show.
func checkFork(r hcl.Range, name string) error {
	if !validFork.MatchString(name) {
		return at(r, "the name %+q of a fork is not made of 1 to 32 of letters, digits, spaces, dots, _ and -", name)
	}
	return nil
}

// readHex fills out from "0x…".
func readHex(r hcl.Range, name, text string, out []byte) error {
	digits, ok := strings.CutPrefix(text, "0x")
	if ok && len(digits) == 2*len(out) {
		if b, err := hex.DecodeString(digits); err == nil {
			copy(out, b)
			return nil
		}
	}
	return at(r, `%s is %q, want "0x" and %d hex digits`, name, text, 2*len(out))
}

// checkTag compares what is written with what was computed.
func checkTag(r hcl.Range, name string, text *string, computed fields.Bytes4) error {
	if text == nil {
		return nil
	}
	var b fields.Bytes4
	if err := readHex(r, name, *text, b[:]); err != nil {
		return err
	}
	if b != computed {
		return at(r, "%s is %s, but the schedule makes it %s", name, b, computed)
	}
	return nil
}

package table

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// Values that a zero field of Config and Limits stands for.
const (
	DefaultBitsPerHop   = 5
	DefaultBucketSize   = 16
	DefaultReplacements = 8

	DefaultBucketLimit = 2
	DefaultTableLimit  = 10
	DefaultPrefixV4    = 24
	DefaultPrefixV6    = 64
)

// Bounds of Config, which keep a table at a few megabytes.
const (
	maxBitsPerHop   = 8
	maxBucketSize   = 256
	maxReplacements = 256
)

// Config says how a table is built. Only Self has to be set.
type Config struct {
	// Self is the local id, the centre of the table. It never becomes an entry.
	Self enode.ID
	// BitsPerHop, 1 to 8: a full bucket away from Self may split until its depth is a multiple of it. A larger one
	// means more buckets and shorter lookups. 0 = 5.
	BitsPerHop int
	// BucketSize is the number of entries of a bucket, at most 256. 0 = 16.
	BucketSize int
	// Replacements is the number of nodes kept in reserve for each full bucket, at most 256. 0 = 8.
	Replacements int
	// Limits bound how many nodes one network may place.
	Limits Limits

	// Distance orders nodes in Closest: the distance of a and b as a big-endian number. nil = XOR, which is much
	// faster. Distance and LogDistance are set together.
	Distance func(a, b enode.ID) [32]byte
	// LogDistance, with values 1 to MaxDistance, is what AtDistances compares. nil = the number of bits of XOR. It is
	// called once for each node that is added.
	LogDistance func(a, b enode.ID) int

	// Rand draws the pauses of revalidation and the random nodes; the table is its owner. nil = seeded randomly.
	Rand *rand.Rand
}

// Limits bound how many entries and replacements have addresses of one prefix. Loopback, private and link-local
// addresses are exempt.
type Limits struct {
	// Bucket and Table are the most nodes of one prefix in a bucket and in the table. 0 = 2 and 10, negative = no limit.
	Bucket, Table int
	// PrefixV4 and PrefixV6 are prefix lengths in bits, up to 32 and 128. 0 = 24 and 64.
	PrefixV4, PrefixV6 int
}

// Validate reports everything that is wrong, joined; nil for the zero Config.
func (c *Config) Validate() error {
	var errs []error
	between := func(name string, v, hi int) {
		if v < 0 || v > hi {
			errs = append(errs, fmt.Errorf("%s %d is not within 0 (default) and %d", name, v, hi))
		}
	}
	between("bits per hop", c.BitsPerHop, maxBitsPerHop)
	between("bucket size", c.BucketSize, maxBucketSize)
	between("replacements", c.Replacements, maxReplacements)
	between("IPv4 limit prefix", c.Limits.PrefixV4, 32)
	between("IPv6 limit prefix", c.Limits.PrefixV6, 128)
	if (c.Distance == nil) != (c.LogDistance == nil) {
		errs = append(errs, errors.New("distance and log distance must be set together"))
	}
	return errors.Join(errs...)
}

// withDefaults returns the config with its zero fields filled in.
func (c Config) withDefaults() Config {
	fill := func(v *int, to int) {
		if *v == 0 {
			*v = to
		}
	}
	fill(&c.BitsPerHop, DefaultBitsPerHop)
	fill(&c.BucketSize, DefaultBucketSize)
	fill(&c.Replacements, DefaultReplacements)
	fill(&c.Limits.Bucket, DefaultBucketLimit)
	fill(&c.Limits.Table, DefaultTableLimit)
	fill(&c.Limits.PrefixV4, DefaultPrefixV4)
	fill(&c.Limits.PrefixV6, DefaultPrefixV6)
	if c.Rand == nil {
		c.Rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	return c
}

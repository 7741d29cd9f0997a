package forks

import (
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/discv5/host/sdk/fields"
	"github.com/ethereum/go-ethereum/params"
)

func network(t *testing.T, name string) *Network {
	t.Helper()
	n, ok := Default().Network(name)
	if !ok {
		t.Fatalf("no %s", name)
	}
	return n
}

// announced are times that were set after the release of go-ethereum in go.mod.
var announced = map[string]uint64{"hoodi": 1793036568}

// The schedules have the forks of go-ethereum: blocks and times, each once, without those at genesis.
func TestForksAreThoseOfGoEthereum(t *testing.T) {
	for name, c := range map[string]struct {
		config  *params.ChainConfig
		genesis [32]byte
	}{
		"mainnet": {params.MainnetChainConfig, params.MainnetGenesisHash},
		"sepolia": {params.SepoliaChainConfig, params.SepoliaGenesisHash},
		"hoodi":   {params.HoodiChainConfig, params.HoodiGenesisHash},
	} {
		points := make(map[uint64]bool)
		v := reflect.ValueOf(*c.config)
		for i := range v.NumField() {
			field := v.Type().Field(i).Name
			switch p := v.Field(i).Interface().(type) {
			case *big.Int:
				if p != nil && strings.HasSuffix(field, "Block") {
					points[p.Uint64()] = true
				}
			case *uint64:
				if p != nil && strings.HasSuffix(field, "Time") {
					points[*p] = true
				}
			}
		}
		delete(points, 0)
		e := network(t, name).Execution
		for _, f := range e.Forks {
			if !points[f.point()] && f.point() != announced[name] {
				t.Errorf("%s: go-ethereum has no fork %s at %d", name, f.Name, f.point())
			}
			delete(points, f.point())
		}
		if len(points) > 0 {
			t.Errorf("%s: the schedule has no forks at %v", name, points)
		}
		if e.sums[0] != newExecution(c.genesis, nil).sums[0] {
			t.Errorf("%s has another genesis hash", name)
		}
	}
}

// FORK_HASH after each fork as EIP-2124 and go-ethereum publish them.
func TestKnownForkHashes(t *testing.T) {
	for name, hashes := range map[string]map[string]string{
		"mainnet": {
			"homestead": "0x97c2c34c", "dao": "0x91d1f948", "tangerine-whistle": "0x7a64da13", "spurious-dragon": "0x3edd5b10",
			"byzantium": "0xa00bc324", "petersburg": "0x668db0af", "istanbul": "0x879d6e30", "muir-glacier": "0xe029e991",
			"berlin": "0x0eb440f6", "london": "0xb715077d", "arrow-glacier": "0x20c327fc", "gray-glacier": "0xf0afd0e3",
			"shanghai": "0xdce96c2d", "cancun": "0x9f3d2254", "prague": "0xc376cf8b", "osaka": "0x5167e2a6", "bpo1": "0xcba2a1c0",
			"bpo2": "0x07c9462e",
		},
		"sepolia": {
			"paris": "0xb96cbd13", "shanghai": "0xf7f9bc08", "cancun": "0x88cf81d9", "prague": "0xed88b5fd", "osaka": "0xe2ae4999",
			"bpo1": "0x56078a1e", "bpo2": "0x268956b6", "amsterdam": "0x6c1d9423",
		},
		"hoodi": {"prague": "0x0929e24e", "osaka": "0xe7e0e7ff", "bpo1": "0x3893353e", "bpo2": "0x23aa1351", "amsterdam": "0x3d068b59"},
	} {
		e := network(t, name).Execution
		for i, f := range e.Forks {
			if e.sums[i+1].String() != hashes[f.Name] {
				t.Errorf("%s after %s: %s, want %s", name, f.Name, e.sums[i+1], hashes[f.Name])
			}
		}
		if len(e.Forks) != len(hashes) {
			t.Errorf("%s has %d forks, want %d", name, len(e.Forks), len(hashes))
		}
	}
}

// The four rules, one by one, and when their answer may change.
func TestFourRules(t *testing.T) {
	e := newExecution([32]byte{1}, []ExecutionFork{{Name: "a", Block: 100}, {Name: "b", Time: 2_000_000_000}, {Name: "c", Time: 2_000_001_000}})
	unix := func(s int64) time.Time { return time.Unix(s, 0) }
	for _, tc := range []struct {
		name string
		hash int // index of sums; -1: none of them
		next uint64
		now  int64
		want string
		end  int64
	}{
		{"1b: the same, and the next fork known", 1, 2_000_000_000, 1_900_000_000, "", 2_000_000_000},
		{"1b: the same, no next fork", 1, 0, 1_900_000_000, "", 2_000_000_000},
		{"1b: another next fork, later", 1, 1_900_000_100, 1_900_000_000, "", 1_900_000_100},
		{"1a: another next fork, passed", 1, 1_900_000_100, 1_900_000_100, ReasonSplit, 2_000_000_000},
		{"1a: a block after forks at times", 3, 200, 2_000_002_000, ReasonSplit, 0},
		{"2: behind, and knows the way", 1, 2_000_000_000, 2_000_000_500, "", 2_000_001_000},
		{"2: far behind", 0, 100, 2_000_002_000, "", 0},
		{"2: behind, and does not", 1, 0, 2_000_000_000, ReasonStale, 2_000_001_000},
		{"3: ahead", 2, 2_000_001_000, 1_999_999_999, "", 2_000_000_000},
		{"3: far ahead", 3, 0, 1_000_000_000, "", 2_000_000_000},
		{"4: foreign", -1, 0, 2_000_000_000, ReasonForeign, 0},
		{"an absurd time", 1, 1 << 63, 1_900_000_000, "", 2_000_000_000},
	} {
		id := fields.ForkID{Next: tc.next}
		if tc.hash >= 0 {
			id.Hash = e.sums[tc.hash]
		}
		v := e.accepts(id, unix(tc.now))
		end := time.Time{}
		if tc.end != 0 {
			end = unix(tc.end)
		}
		if v.Reason != tc.want || v.Accepted != (tc.want == "") || !v.Until.Equal(end) {
			t.Errorf("%s: %+v, want %q until %v", tc.name, v, tc.want, end)
		}
	}
}

// The table of EIP-2124, with mainnet's forks to Petersburg. A filter knows no head but the clock, so blocks are times here, as many
// seconds after the first that can be one.
func TestTableOfTheSpecification(t *testing.T) {
	const base = firstTime
	var forks []ExecutionFork
	for _, block := range []uint64{1150000, 1920000, 2463000, 2675000, 4370000, 7280000} {
		forks = append(forks, ExecutionFork{Time: base + block})
	}
	e := newExecution([32]byte{1}, forks)
	const spurious, byzantium, petersburg, foreign = 4, 5, 6, -1
	for _, tc := range []struct {
		head   uint64
		remote int // index of sums
		next   uint64
		want   string
	}{
		{7987396, petersburg, 0, ""},                                  // the same state, no future fork announced
		{7987396, petersburg, math.MaxUint64 - base, ""},              // one announced, far away
		{7279999, byzantium, 0, ""},                                   // the remote is not aware of Petersburg yet
		{7279999, byzantium, 7280000, ""},                             // it is
		{7279999, byzantium, math.MaxUint64 - base, ""},               // it announces another one, not passed
		{7987396, byzantium, 7280000, ""},                             // the remote is syncing
		{7987396, spurious, 4370000, ""},                              // far behind
		{7279999, petersburg, 0, ""},                                  // the local node is syncing
		{4369999, byzantium, 0, ""},                                   // and does not know how far
		{7987396, byzantium, 0, ReasonStale},                          // the remote needs an update
		{7987396, foreign, 0, ReasonForeign},                          // the local node needs one, or another network
		{7279999, foreign, 0, ReasonForeign},                          //
		{88888888, petersburg, 88888888, ReasonSplit},                 // a fork passed here that the remote still announces
		{7279999, byzantium, 7279999, ReasonSplit},                    // the same, at the last block before Petersburg
		{7280000, byzantium, 7280000, ""},                             // one second makes the remote a syncing one
		{7280000, byzantium, 0, ReasonStale},                          //
		{7987396, spurious, 7280000, ReasonStale},                     // the fork after the next is not the next
		{7279999, petersburg, math.MaxUint64 - base, ""},              // rule 3 does not look at what comes after
		{1149999, 0, 1150000, ""}, {1149999, 0, 1149999, ReasonSplit}, // before the first
	} {
		id := fields.ForkID{Next: tc.next}
		if tc.next > 0 {
			id.Next += base
		}
		if tc.remote >= 0 {
			id.Hash = e.sums[tc.remote]
		}
		if v := e.accepts(id, time.Unix(int64(base+tc.head), 0)); v.Reason != tc.want || v.Accepted != (tc.want == "") {
			t.Errorf("at %d, remote after %d forks, next %d: %+v, want %q", tc.head, tc.remote, tc.next, v, tc.want)
		}
	}
}

// A network without forks at times goes by its blocks, all of which count as passed.
func TestForksAtBlocksOnly(t *testing.T) {
	e := newExecution([32]byte{1}, []ExecutionFork{{Name: "a", Block: 100}, {Name: "b", Block: 200}})
	for next, want := range map[uint64]bool{0: true, 200: false, 201: true, 4_000_000_000: true} {
		if v := e.accepts(fields.ForkID{Hash: e.sums[2], Next: next}, time.Unix(1_900_000_000, 0)); v.Accepted != want {
			t.Errorf("next %d: %+v", next, v)
		}
	}
}

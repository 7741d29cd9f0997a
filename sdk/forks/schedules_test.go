package forks

import (
	"testing"
	"time"
)

// Digests that clients and networks publish, or that real records have.
func TestKnownDigests(t *testing.T) {
	for network, digests := range map[string]map[string]string{
		"mainnet": {
			"phase0": "0xb5303f2a",                                                     // github.com/eth-clients/mainnet, README.md; bootstrap records
			"altair": "0xafcaaba0", "bellatrix": "0x4a26c58b", "capella": "0xbba4da96", // bootstrap records have the last
			"deneb": "0x6a95a1a9", "electra": "0xad532ceb",
			"fulu": "0xcc2c5cdb", "bpo1": "0xcb0d1acc", "bpo2": "0x8c9f62fe", // as Nethermind's tests have them
		},
		"sepolia": {
			"phase0": "0xa8fee8ee",                        // github.com/eth-clients/sepolia, README.md
			"bpo2":   "0x74d01459", "gloas": "0x669e6c11", // records of 2026 have the first
		},
		"hoodi": {"bpo2": "0xc6ecb76c", "gloas": "0x5ad30129"}, // records of 2026 have the first
	} {
		n, ok := Default().Network(network)
		if !ok {
			t.Fatalf("no %s", network)
		}
		found := 0
		for _, f := range n.Consensus.Forks {
			if want := digests[f.Name]; want != "" {
				found++
				if f.Digest.String() != want {
					t.Errorf("%s %s: digest %s, want %s", network, f.Name, f.Digest, want)
				}
			}
		}
		if found != len(digests) {
			t.Errorf("%s has %d of the forks, want %d", network, found, len(digests))
		}
	}
}

// Forks of both layers happen together since capella; blobs alone change together, too.
func TestLayersAgree(t *testing.T) {
	for _, name := range Default().Names() {
		n, _ := Default().Network(name)
		starts := make(map[int64]string)
		for _, f := range n.Consensus.Forks {
			starts[f.Start.Unix()] = f.Name
		}
		times := 0
		for _, f := range n.Execution.Forks {
			if f.Time == 0 {
				continue
			}
			times++
			if starts[int64(f.Time)] == "" {
				t.Errorf("%s: no fork of the beacon chain at the time of %s, %s", name, f.Name, time.Unix(int64(f.Time), 0).UTC())
			}
		}
		if times < 4 {
			t.Errorf("%s has %d forks at times", name, times)
		}
	}
}

package table

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

func TestLogDist(t *testing.T) {
	for _, tt := range []struct {
		n    uint64
		want int
	}{
		{0, 0}, {1, 1}, {2, 2}, {3, 2}, {4, 3}, {7, 3}, {8, 4}, {0xf, 4}, {0x80, 8}, {0xff, 8},
		{0x100, 9}, {0x1ff, 9}, {0x8000, 16}, {0xffff, 16},
	} {
		if got := LogDist(enode.ID{}, numbered(tt.n)); got != tt.want {
			t.Errorf("LogDist(0, %#x) = %d, want %d", tt.n, got, tt.want)
		}
	}
	r := newRand(t)
	for range 1000 {
		a, b := RandomID(r), RandomID(r)
		if d := r.IntN(257); r.IntN(2) == 0 {
			b = RandomIDAtDistance(r, a, d)
			if LogDist(a, b) != d {
				t.Fatalf("RandomIDAtDistance(%s, %d) is at %d", name(a), d, LogDist(a, b))
			}
		}
		if got, want := LogDist(a, b), enode.LogDist(a, b); got != want || LogDist(b, a) != want {
			t.Fatalf("LogDist(%s, %s) = %d, want %d", name(a), name(b), got, want)
		}
	}
}

func TestIDAtDistance(t *testing.T) {
	for _, tt := range []struct {
		d    int
		want uint64
	}{{-1, 0}, {0, 0}, {1, 1}, {2, 2}, {3, 4}, {4, 8}, {8, 0x80}, {9, 0x100}, {16, 0x8000}} {
		if got := IDAtDistance(enode.ID{}, tt.d); got != numbered(tt.want) {
			t.Errorf("IDAtDistance(0, %d) = %s, want %#x", tt.d, got, tt.want)
		}
	}
	for _, d := range []int{256, 257, 1000} {
		if got := IDAtDistance(enode.ID{}, d); got != id("80") {
			t.Errorf("IDAtDistance(0, %d) = %s", d, name(got))
		}
	}
	r := newRand(t)
	for d := range 257 {
		a := RandomID(r)
		if got := LogDist(a, IDAtDistance(a, d)); got != d {
			t.Errorf("IDAtDistance(%s, %d) is at %d", name(a), d, got)
		}
	}
}

// targetID is the id of the public key that the well known test network of discovery v4 was mined around.
func targetID(t *testing.T) enode.ID {
	t.Helper()
	b, err := hex.DecodeString("045d485bdcbe9bc89314a10ae9231e429d33853e3a8fa2af39f5f827370a2e4185" +
		"e344ace5d16237491dad41f278f1d3785210d29ace76cd627b9147ee340b1125")
	if err != nil {
		t.Fatal(err)
	}
	pub, err := crypto.UnmarshalPubkey(b)
	if err != nil {
		t.Fatal(err)
	}
	return enode.PubkeyToIDV4(pub)
}

func TestIDAtDistanceOfKey(t *testing.T) {
	const rest = "5b34809116e3790b2258a45e7ef03b11af786503fb1a6d4b4a8ca021ad653c"
	for d, first := range map[int]string{251: "9e", 252: "92", 253: "8a", 254: "ba", 255: "da", 256: "1a"} {
		if got := IDAtDistance(targetID(t), d).String(); got != first+rest {
			t.Errorf("distance %d: %s, want %s", d, got, first+rest)
		}
	}
}

func TestLogDistOfKeys(t *testing.T) {
	target := targetID(t)
	for _, line := range strings.Split(strings.TrimSpace(readTestdata(t, "keys.txt")), "\n") {
		var want int
		var text string
		if strings.HasPrefix(line, "#") {
			continue
		}
		mustScan(t, line, &want, &text)
		key, err := crypto.HexToECDSA(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := LogDist(enode.PubkeyToIDV4(&key.PublicKey), target); got != want {
			t.Errorf("key %s…: distance %d, want %d", text[:8], got, want)
		}
	}
}

func TestDistances(t *testing.T) {
	for _, tt := range []struct {
		d    int
		n    int
		want []uint
	}{
		{0, 3, []uint{0, 256, 255}},
		{1, 3, []uint{1, 2, 3}},
		{128, 3, []uint{128, 129, 127}},
		{256, 3, []uint{256, 255, 254}},
		{255, 3, []uint{255, 256, 254}},
		{254, 3, []uint{254, 255, 253}},
		{254, 6, []uint{254, 255, 253, 256, 252, 251}},
		{7, 1, []uint{7}},
		{7, 0, []uint{}},
		{7, -1, []uint{}},
	} {
		if got := Distances(enode.ID{}, IDAtDistance(enode.ID{}, tt.d), tt.n); !slices.Equal(got, tt.want) {
			t.Errorf("distance %d, %d of them: %v, want %v", tt.d, tt.n, got, tt.want)
		}
	}
	for d := 1; d <= 256; d++ {
		all := Distances(enode.ID{}, IDAtDistance(enode.ID{}, d), 10_000)
		slices.Sort(all)
		if all = slices.Compact(all); len(all) != 256 || all[0] != 1 || all[255] != 256 {
			t.Errorf("distance %d: all of them are %d, %d…%d", d, len(all), all[0], all[len(all)-1])
		}
	}
}

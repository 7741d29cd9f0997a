package forks

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMistakesInFiles(t *testing.T) {
	hash := `genesis_hash = "0x` + strings.Repeat("00", 32) + `"` + "\n"
	execution := func(forks string) string { return "network \"x\" {\n execution {\n" + hash + forks + "\n}\n}" }
	consensus := func(forks string) string {
		return "network \"x\" {\n consensus {\n genesis_time = 2000000000\n genesis_validators_root = \"0x" + strings.Repeat("00", 32) + "\"\n" + forks + "\n}\n}"
	}
	fork := func(name, epoch, more string) string {
		return "fork \"" + name + "\" {\n epoch = " + epoch + "\n version = \"0x01000000\"\n" + more + "\n}\n"
	}
	for _, tc := range []struct{ text, want string }{
		{"", "f.hcl: 0 networks"},
		{"network", "f.hcl:1:1: Argument or block definition required"},
		{"net \"x\" {\n}", "f.hcl:1:1: Unsupported block type"},
		{"network \"x\" {\n}", `f.hcl:1:1: network "x" has neither`},
		{"network \"X!\" {\n}", `f.hcl:1:1: the name "X!" is not made of`},
		{execution("") + "\n" + execution(""), `f.hcl:7:1: network "x" stands here a second time`},
		{"network \"x\" {\n execution {\n genesis_hash = \"00\"\n}\n}", `f.hcl:2:2: genesis_hash is "00", want "0x" and 64 hex digits`},
		{execution(`fork "a" {}`), `f.hcl:4:1: fork "a" needs either block or time`},
		{execution("fork \"a\" {\n block = 1\n time = 1700000000\n}"), `f.hcl:4:1: fork "a" needs either block or time`},
		{execution(`fork "a" { block = 0 }`), `block 0 of fork "a" is not in`},
		{execution(`fork "a" { time = 12 }`), `time 12 of fork "a" is not in`},
		{execution(`fork "a" { time = -1 }`), "f.hcl:4:"},
		{execution("fork \"a\" { block = 5 }\nfork \"b\" { block = 5 }"), `f.hcl:5:1: fork "b" does not come after "a"`},
		{execution("fork \"a\" { time = 1700000000 }\nfork \"b\" { block = 5 }"), `fork "b" does not come after "a"`},
		{execution("fork \"a\" {\n block = 5\n hash = \"0x00000000\"\n}"), "hash is 0x00000000, but the schedule makes it 0x"},
		{consensus(""), "the first fork must be at epoch 0"},
		{consensus(fork("a", "1", "")), "the first fork must be at epoch 0"},
		{consensus(fork("a", "0", "") + fork("b", "0", "")), `"b" is at the same epoch as "a"`},
		{consensus(fork("a", "0", "") + fork("b", "18446744073709551615", "")), `epoch 18446744073709551615 of "b" is too late`},
		{consensus(fork("fulu", "0", "")), `the digest of "fulu" depends on the number of blobs: write max_blobs`},
		{consensus(fork("Gloas", "0", "")), `the digest of "Gloas" depends on the number of blobs: write max_blobs`},
		{consensus(fork("electra", "0", "") + "blobs \"b\" {\n epoch = 5\n max_blobs = 9\n}"), `f.hcl:10:1: "b" has the digest of "electra", 0x`},
		{consensus(fork("a", "0", "") + fork("b", "5", "")), `f.hcl:10:1: "b" has the digest of "a", 0x`},
		{consensus(fork("fulu", "0", "max_blobs = 6") + "blobs \"b\" {\n epoch = 0\n max_blobs = 9\n}"), `"b" is at the same epoch as "fulu"; if one of them is a fork, write the max_blobs`},
		{consensus(fork("a\x1b[31m", "0", "")), `the name "a\x1b[31m" of a fork is not made of`},
		{execution("fork \"\" { block = 1 }"), `the name "" of a fork is not made of`},
		{execution("fork \"z\" { time = 253370764801 }"), `time 253370764801 of fork "z" is not in`},
		{consensus(fork("a", "0", "digest = \"0x00000000\"")), "digest is 0x00000000, but the schedule makes it 0x"},
		{consensus("seconds_per_slot = 0\n" + fork("a", "0", "")), "out of range"},
		{consensus("fork \"a\" {\n epoch = 0\n version = \"1\"\n}"), `version is "1", want "0x" and 8 hex digits`},
		{"network \"x\" {\n consensus {\n genesis_time = 2000000000\n" + fork("a", "0", "") + "}\n}", `"a" needs a digest`},
		{"a = " + strings.Repeat("(", 1000), "f.hcl:1: '(' is not for schedules"},
		{"\n\na = 1 /* x */", "f.hcl:3: '/' is not for schedules"},
		{strings.Repeat("a {\n", 9), "f.hcl:9: more than 8 blocks in each other"},
		{"a = ----1", "f.hcl:1: '-' is not for schedules"},
		{"# \"(\n// (\na = \"${x}\"", "f.hcl:3: text without an end"},
		{"a = \"(", "f.hcl:1: text without an end"},
		{strings.Repeat("#", maxFile+1), "more than 1048576 bytes"},
	} {
		if _, err := Parse("f.hcl", []byte(tc.text)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%.80q: %v\nwant %s", tc.text, err, tc.want)
		}
	}
}

func TestLoadAddsToWhatThereIs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "forks.hcl")
	text := "network \"mainnet\" {\n execution {\n genesis_hash = \"0x" + strings.Repeat("11", 32) + "\"\n}\n}\n" +
		"network \"devnet\" {\n execution {\n genesis_hash = \"0x" + strings.Repeat("22", 32) + "\"\n}\n}"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if names := strings.Join(s.Names(), " "); names != "devnet hoodi mainnet sepolia" {
		t.Errorf("names %s", names)
	}
	if n, _ := s.Network("mainnet"); n.Consensus != nil || n.Grace() != DefaultGrace {
		t.Errorf("mainnet is not that of the file: %+v", n)
	}
	if n, _ := Default().Network("mainnet"); n.Consensus == nil {
		t.Error("the shipped schedule changed")
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none")); !os.IsNotExist(err) {
		t.Errorf("no file: %v", err)
	}
	for given, want := range map[time.Duration]time.Duration{-1: 0, time.Minute: time.Minute, 1000 * time.Hour: MaxGrace} {
		if n, _ := s.WithGrace(given).Network("mainnet"); n.Grace() != want {
			t.Errorf("grace %s of %s", n.Grace(), given)
		}
	}
}

func FuzzParse(f *testing.F) {
	shipped, err := files.ReadFile("networks.hcl")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(shipped)
	f.Add([]byte("network \"x\" {\n execution {\n genesis_hash = \"0x00\"\n fork \"a\" { time = 1e300 }\n}\n}"))
	f.Fuzz(func(t *testing.T, src []byte) {
		s, err := Parse("f", src)
		if err != nil {
			return
		}
		s = s.WithGrace(MaxGrace)
		for _, name := range s.Names() {
			n, _ := s.Network(name)
			for _, at := range []time.Time{{}, time.Unix(0, 0), time.Unix(maxTime, 0)} {
				if _, err := json.Marshal(n.At(at)); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

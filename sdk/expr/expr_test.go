package expr

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

const (
	eth2Value = "eth2=90 b5303f2a00000000ffffffffffffffff"
	cgc4      = "cgc=04"
	damagedIP = "ip=83 010203"
)

// What an expression says, and why not, in presence and absence of what it reads.
func TestMeaning(t *testing.T) {
	full := []string{eth2Value, cgc4, "ip=84 0a010203", "udp=82765f", "tcp=822329", "attnets=88 0102000000000080", "bsc=83 616263", "n=820100"}
	for _, tc := range []struct {
		text  string
		pairs []string
		want  string // "" if it matches, else the reason
	}{
		{`true`, nil, ""},
		{`false`, nil, "no_match"},
		{`has("eth2")`, full, ""},
		{`has("eth2")`, nil, "eth2"},
		{`enr.has("eth2")`, full, ""},
		{`enr.has("e" + "th2")`, full, ""},
		{`enr.has("eth2") && enr.eth2.fork_digest in ["0x00000000", "0xb5303f2a"]`, full, ""},
		{`enr.has("eth2") && enr.eth2.fork_digest in ["0x00000000"]`, full, "eth2"},
		{`enr.eth2.fork_digest == "0xb5303f2a" && !enr.eth2.has_next_fork`, full, ""},

		// absent: false, also where negated, unless another operand decides
		{`enr.cgc >= 4`, full, ""},
		{`enr.cgc >= 5`, full, "cgc"},
		{`enr.cgc >= 4`, nil, "no_cgc"},
		{`!(enr.cgc >= 4)`, nil, "no_cgc"},
		{`!enr.has("cgc") || enr.cgc >= 4`, nil, ""},
		{`enr.cgc >= 4 || !enr.has("cgc")`, nil, ""},
		{`enr.cgc >= 4 || false`, nil, "no_cgc"},
		{`(enr.cgc >= 4 && false) || true`, nil, ""},
		{`!(enr.cgc >= 4 && false)`, nil, ""},
		{`enr.has("cgc") ? enr.cgc >= 4 : true`, nil, ""},
		{`has(enr.cgc) && enr.cgc >= 4`, nil, "cgc"},
		{`enr.eth2.fork_digest == "0xb5303f2a"`, nil, "no_eth2"},
		{`!has(enr.eth2)`, nil, ""},

		// cannot be decoded: absent, with a reason of its own
		{`enr.cgc >= 4`, []string{"cgc=c0"}, "bad_cgc"},
		{`enr.has("cgc")`, []string{"cgc=c0"}, ""},
		{`has(enr.cgc)`, []string{"cgc=c0"}, "cgc"},
		{`enr.has("cgc") && enr.udp == 30303`, []string{"cgc=c0", "udp=82765f"}, ""},
		{`ip.family == 4`, []string{damagedIP}, "no_ip"},
		{`ip4.family == 4`, []string{damagedIP}, "bad_ip4"},

		// variables
		{`ip.in("10.0.0.0/8") && ip.is_lan && !ip.is_global && !ip.is_loopback && ip.text == "10.1.2.3"`, full, ""},
		{`ip.in(["192.168.0.0/16", "10.1.2.3"])`, full, ""},
		{`ip . in ( "11.0.0.0/8" )`, full, "ip"},
		{`ip.in("1" + "1.0.0.0/8")`, full, "ip"},
		{`ip == ip4 && ip.family == 4`, full, ""},
		{`ip6.family == 6`, full, "no_ip6"},
		{`udp == 30303 && tcp == 9001`, full, ""},
		{`tcp == 9001`, []string{"ip=84 0a010203", "udp=82765f"}, "no_tcp"},
		{`node.distance == 255`, full, "no_distance"},
		{`node.id.startsWith("80") && node.seq == enr.seq`, full, ""},

		// numbers in bits
		{`enr.attnets.any([3, 9])`, full, ""},
		{`enr.attnets.any([3, 4])`, full, "attnets"},
		{`enr.attnets.any([3, -1, 64, 9223372036854775807])`, full, "attnets"},
		{`enr.attnets.any([enr.cgc + 5])`, full, ""},
		{`enr.attnets.every([0, 9, 63])`, full, ""},
		{`enr.attnets.every([0, 1])`, full, "attnets"},
		{`enr.attnets.every([])`, full, ""},
		{`enr.attnets.any([])`, full, "attnets"},
		{`enr.attnets.at_least(2, [0, 9, 10])`, full, ""},
		{`enr.attnets.at_least(3, [0, 9, 10])`, full, "attnets"},
		{`enr.attnets.has(63) && enr.attnets.count == 3 && enr.attnets.list == [0, 9, 63]`, full, ""},
		{`enr.attnets.list.exists(n, n > 62)`, full, ""},

		// any key
		{`enr.raw["bsc"] == b"\x83abc" && enr.bytes["bsc"] == b"abc" && enr.text["bsc"] == "abc"`, full, ""},
		{`enr.number["n"] == 256 && enr.number.n == 256`, full, ""},
		{`enr.raw["x"] == b""`, full, "no_x"},
		{`enr.text["AZTEC-key"] == ""`, full, "no_aztec_key"},
		{`enr.text["n"] == ""`, []string{"n=82ff00"}, "bad_n"},
		{`enr.number["n"] == 0`, []string{"n=c0"}, "bad_n"},
		{`enr.number["n"] == 0`, []string{"n=89010000000000000000"}, "bad_n"},
		{`enr.number["n"] == 9223372036854775807`, []string{"n=88ffffffffffffffff"}, ""},
		{`"bsc" in enr.raw && has(enr.raw.bsc) && !("x" in enr.raw) && !has(enr.raw.x)`, full, ""},
		{`enr.keys.exists(k, k.startsWith("bs")) && size(enr.raw) == size(enr.keys)`, full, ""},
		{`enr.raw.exists(k, k == "bsc")`, full, ""},
		{`enr.keys.filter(k, k in ["bsc", "n", "x"]) == ["bsc", "n"]`, full, ""},

		{`enr.keys.exists(k, enr.number[k] == -1)`, []string{"evil=c0"}, "bad_field"},
		{`enr.text[enr.text["bsc"]] == ""`, full, "no_field"},

		// custody: the columns that CustodyColumns of package fields computes
		{`enr.custody_columns.count == 4`, full, ""},
		{`enr.custody_columns.list.all(c, enr.custodies(c)) && !enr.custodies(128) && !enr.custodies(-1)`, full, ""},
		{`enr.custodies(0)`, nil, "no_cgc"},
		{`enr.custodies(0)`, []string{"cgc=820100"}, ""},

		// failures of an evaluation
		{`1 / (enr.cgc - 4) == 1`, full, "error"},
		{`enr.keys[100] == "x"`, full, "error"},
		{`ip.in(enr.text["bsc"])`, full, "error"},
	} {
		p := compiled(t, tc.text)
		v := p.Decide(nodeWith(t, tc.pairs...))
		if v.Match != (tc.want == "") || v.Reason != tc.want {
			t.Errorf("%s of %q: %+v, want %q", tc.text, tc.pairs, v, tc.want)
		}
		if failed := tc.want == "error"; (v.Err != nil) != failed {
			t.Errorf("%s of %q: error %v", tc.text, tc.pairs, v.Err)
		}
		if v.Reason != "" && !slices.Contains(p.Reasons(), v.Reason) {
			t.Errorf("%s: the reason %s is not one of %s", tc.text, v.Reason, p.Reasons())
		}
		for _, r := range p.Reasons() {
			if len(r) > 32 || strings.Trim(r, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
				t.Errorf("%s: the reason %q is no code", tc.text, r)
			}
		}
	}
}

// What decided is told with the key that it is about, whatever a stranger calls it.
func TestDetails(t *testing.T) {
	for _, tc := range []struct{ text, pair, want string }{
		{`enr.number["n"] == 0`, "n=c0", "field n: bad kind: a list, want a byte string"},
		{`enr.text.n == ""`, "n=82ff00", "field n: bad value: not text in UTF-8"},
		{`enr.raw["x y"] == b""`, "n=01", `"x y" is absent`},
		{`enr.raw.exists(k, enr.raw[k] == b"")`, "\xff\x1b=01", `"\ufffd\x1b" is absent`},
	} {
		if v := compiled(t, tc.text).Decide(nodeWith(t, tc.pair)); v.Detail == nil || v.Detail.Error() != tc.want {
			t.Errorf("%s: %v, want %s", tc.text, v.Detail, tc.want)
		}
	}
}

// Of networks that do not accept a record, the one that it is about has the reason, in whatever order they stand.
func TestReasonOfSeveralForks(t *testing.T) {
	old, foreign := nodeWith(t, eth2Value), nodeWith(t, "eth2=90 0102030400000000ffffffffffffffff")
	for _, text := range []string{`fork("mainnet").accepts(enr) || fork("hoodi").accepts(enr)`, `fork("hoodi").accepts(enr) || fork("mainnet").accepts(enr)`} {
		p := compiled(t, text)
		if a, b := p.Decide(old), p.Decide(foreign); a.Reason != "fork_old" || b.Reason != "fork_foreign" {
			t.Errorf("%s: %s of an old digest, %s of a foreign one", text, a.Reason, b.Reason)
		}
	}
}

func TestDistance(t *testing.T) {
	n := nodeWith(t)
	if !compiled(t, `node.distance == 256`, WithSelf(enode.ID{1})).Match(n) || !compiled(t, `node.distance == 0`, WithSelf(n.ID())).Match(n) {
		t.Error("the distance is not the logarithmic one")
	}
	if !compiled(t, `true && node.distance < 9`).UsesDistance() || compiled(t, `node.seq < 9`).UsesDistance() {
		t.Error("UsesDistance")
	}
}

func TestExplainShowsEveryTerm(t *testing.T) {
	p := compiled(t, "enr.has(\"eth2\") &&\n  ip.in(\"10.0.0.0/8\") && (enr.cgc > 4 || false)")
	terms := p.Explain(nodeWith(t, eth2Value, "cgc=c0"))
	var got []string
	for _, term := range terms {
		got = append(got, term.Text+" "+term.Reason)
	}
	want := []string{`enr.has("eth2") `, `ip.in("10.0.0.0/8") no_ip`, `enr.cgc > 4 || false bad_cgc`}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if terms[1].Line != 2 || terms[1].Column != 3 || terms[2].Line != 2 {
		t.Errorf("places: %+v", terms)
	}
	if d := terms[2].Detail; d == nil || !strings.Contains(d.Error(), "field cgc: bad kind") {
		t.Errorf("detail: %v", d)
	}
}

// What a loop really takes is bounded, however large the record makes it.
func TestCostOfAnEvaluation(t *testing.T) {
	p := compiled(t, `enr.rsv.shards.list.all(n, n >= 0`+strings.Repeat(" && n < 1024", 20)+`)`)
	all := nodeWith(t, "rsv=b882 0010"+strings.Repeat("ff", 128))
	if v := p.Decide(all); v.Match || v.Reason != "error" || v.Err == nil || !strings.Contains(v.Err.Error(), "cost limit") {
		t.Errorf("1024 shards: %+v", v)
	}
	if v := p.Decide(nodeWith(t, "rsv=b882 0010"+strings.Repeat("11", 128))); !v.Match {
		t.Errorf("256 shards: %+v", v)
	}
}

// The same program in many goroutines gives what it gives in one.
func TestConcurrentUse(t *testing.T) {
	p := compiled(t, `1 / (udp - 9000) == 0 || ip.in(enr.client.name) || enr.keys[99] == "" || (enr.has("eth2") && enr.eth2.fork_digest == "0xb5303f2a" && ip.in("3.0.0.0/8")) || enr.waku2.relay || fork("mainnet").accepts(enr)`)
	var all []*enode.Node
	var want []bool
	for _, nodes := range realRecords(t) {
		for _, n := range nodes {
			all, want = append(all, n), append(want, p.Match(n))
		}
	}
	if len(all) < 20 || !slices.Contains(want, true) || !slices.Contains(want, false) {
		t.Fatalf("%d records: %v", len(all), want)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i, n := range all {
				if p.Match(n) != want[i] {
					t.Errorf("record %d differs", i)
				}
			}
		})
	}
	wg.Wait()
}

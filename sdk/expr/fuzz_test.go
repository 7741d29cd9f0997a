package expr

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
)

// seeds are expressions that use everything there is.
var seeds = []string{
	`enr.has("eth2") && enr.eth2.fork_digest in ["0xb5303f2a"] || ip.in(["10.0.0.0/8", "::/0"])`,
	`fork("mainnet").accepts(enr) && !fork("hoodi").prepared(enr)`,
	`enr.attnets.any([3, 4]) ? enr.cgc >= 8 : enr.custodies(5)`,
	`enr.multiaddrs.exists(a, a.matches("^/ip4/.*/ws$")) && enr.keys.all(k, size(k) < 9)`,
	`enr.raw["x"] == b"\x01" && enr.number.udp > 0 && enr.text["c"].contains("é") && "a" in enr.bytes`,
	`has(enr.rs.shards) && enr.rsv.shards.at_least(2, [1, 2, 1023]) && enr.syncnets.every([])`,
	`node.id < "8" && node.seq % 2 == 0 && node.distance - 1 > -1 && udp * tcp != 0`,
	`enr.client.name + enr.client.version == string(enr.p.chain_id) && enr.pv.map(v, v + 1) == [2]`,
	`enr.keys.exists(k, enr.number[k] > 3) || enr.raw[enr.c] == b""`,
	`1 / enr.cgc == 0 && enr.keys[enr.cgc] == "" && r"""\""" == '''"'''`,
}

func checkVerdict(t *testing.T, p *Program, n *enode.Node) {
	v := p.Decide(n)
	if v.Match != (v.Reason == "") || v.Match && v.Err != nil {
		t.Fatalf("%q: %+v", p, v)
	}
	if v.Reason != "" && !slices.Contains(p.Reasons(), v.Reason) {
		t.Fatalf("%q: reason %q is none of %q", p, v.Reason, p.Reasons())
	}
	if again := p.Decide(n); again.Match != v.Match || again.Reason != v.Reason {
		t.Fatalf("%q: %+v, then %+v", p, v, again)
	}
	all := true
	for _, term := range p.Explain(n) {
		all = all && term.Match
	}
	if all != v.Match {
		t.Fatalf("%q: %v, but the terms say %v", p, v.Match, all)
	}
}

// Any text is an expression or an error with places in it, and an expression judges every record.
func FuzzCompile(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
	}
	for _, s := range []string{"", "(", "[[[[", "in.in(in", "ip.in(", "has(", "a.b.c.d", "enr.has(\"\\", "\"\"\"", "true ? true : true", "{}", "enr{}", "-1u", "0x", ".enr"} {
		f.Add(s)
	}
	var nodes []*enode.Node
	for _, some := range realRecords(f) {
		nodes = append(nodes, some[0])
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Compile(text)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || len(e.Problems) == 0 || strings.Contains(e.Error(), "\n") {
				t.Fatalf("%q: %v", text, err)
			}
			lines := strings.Count(text, "\n") + 1
			for _, p := range e.Problems {
				if p.Line < 1 || p.Line > lines || p.Column < 1 || p.Message == "" {
					t.Fatalf("%q: %+v", text, p)
				}
			}
			return
		}
		for _, n := range nodes {
			checkVerdict(t, p, n)
		}
	})
}

// Any record gets a verdict of every expression, and is not changed.
func FuzzMatch(f *testing.F) {
	for _, tc := range encoded {
		key, _, _ := strings.Cut(tc.pair, "=")
		n := nodeWith(f, tc.pair)
		e := rawEntry{key: key}
		if err := n.Load(&e); err != nil {
			f.Fatal(err)
		}
		f.Add(key, []byte(e.raw), "zz", []byte{0xc0})
	}
	var programs []*Program
	for _, s := range seeds {
		programs = append(programs, compiled(f, s, WithSelf(enode.ID{1})))
	}
	for _, m := range enrFields {
		programs = append(programs, compiled(f, "enr."+m.name+" == enr."+m.name+" || has(enr."+m.name+")"))
	}
	for _, tc := range encoded {
		programs = append(programs, compiled(f, tc.want))
	}
	f.Fuzz(func(t *testing.T, key string, value []byte, key2 string, value2 []byte) {
		if len(key)+len(value)+len(key2)+len(value2) > enr.SizeLimit-80 {
			return // the rest of a record needs some room
		}
		var r enr.Record
		for k, v := range map[string][]byte{key: value, key2: value2} {
			if _, _, rest, err := rlp.Split(v); err != nil || len(rest) > 0 {
				return
			}
			if k != "id" {
				r.Set(enr.WithEntry(k, rlp.RawValue(v)))
			}
		}
		n := enode.SignNull(&r, enode.ID{})
		before, err := rlp.EncodeToBytes(n.Record())
		if err != nil {
			return
		}
		for _, p := range programs {
			checkVerdict(t, p, n)
		}
		if after, err := rlp.EncodeToBytes(n.Record()); err != nil || string(after) != string(before) {
			t.Fatalf("the record changed: %x, %v", after, err)
		}
	})
}

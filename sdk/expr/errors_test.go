package expr

import (
	"errors"
	"strings"
	"testing"
)

func TestMistakes(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"", "1:1: the expression is empty; write true to accept every record"},
		{" \n", "1:1: the expression is empty; write true to accept every record"},
		{"\xff", "1:1: the expression is not text in UTF-8"},
		{strings.Repeat(" ", maxLength) + "true", "1:1: the expression has 4100 bytes, at most 4096 are allowed"},
		{"1", "1:1: the expression is a number, want true or false"},
		{"enr", "1:1: the expression is a value of type Enr, want true or false"},
		{"yes", `1:1: there is no "yes"`},
		{"nod.seq == 1", `1:1: there is no "nod"; did you mean "node"?`},
		{"true &&\n  enr.atnets.any([1])", `2:7: there is no member "atnets"; did you mean "attnets"?`},
		{`ip.im("1.2.3.4")`, `1:4: there is no "im"; did you mean "in"?`},
		{`ip.in(4)`, `1:6: in does not go with IP.(int)`},
		{`enr.cgc > "a"`, "1:9: > does not go with (int, string)"},
		{`enr.eth2.fork_digest == "0xB5303F2A"`, `1:25: "0xB5303F2A" never equals fork_digest; write "0xb5303f2a"`},
		{`enr.nfd in ["0x00000000", "0x1"]`, `1:27: "0x1" never equals nfd; write "0x" and 8 hex digits`},
		{"enr.has(\"a\") &&\n  ip.in([\"10.0.0.1/8\", \"x\"])", `2:10: "10.0.0.1/8" has bits after its prefix: write "10.0.0.0/8"; 2:24: "x" is not a network such as "10.0.0.0/8"`},
		{`fork("mainet").accepts(enr)`, `1:6: no schedule of a network "mainet"; did you mean "mainnet"?`},
		{`fork("x").accepts(enr)`, `1:6: no schedule of a network "x"; there are hoodi, mainnet, sepolia`},
		{`fork(node.id).accepts(enr)`, "1:10: the network of fork() must be written out, in quotes"},
		{`enr.client.name.matches(enr.client.version)`, "1:35: the pattern of matches must be written out, in quotes"},
		{`enr.client.name.matches("[")`, "1:25: "},
		{`enr.client.name.matches("^a{1,3}$")`, ""},
		{`enr.client.name.matches("((a{1,30}){1,30})+")`, ""},
		{`enr.client.name.matches("(a{1,500}b{1,500}c{1,500}d{1,500})")`, "1:25: the pattern is too large"},
		{`enr.client.name.matches("((a{1,100}){1,100})+")`, "1:25: "},
		{strings.Repeat(`[1].exists(a, a == 1) || `, 21) + "true", "1:1: the expression has more than 20 loops"},
		{`enr.has(`, "1:9: the expression ends too early"},
		{`true )`, `1:6: ")" is not expected here`},
		{`not has("eth2")`, `1:5: "has" is not expected here`},
		{`has("eth2") & true`, `1:13: "&" is not expected here; write &&`},
		{`has("eth2") | true`, `1:13: "|" is not expected here; write ||`},
		{`enr.cgc = 8`, `1:9: "=" is not expected here; write == to compare`},
		{`enr.cgc => 8`, `1:9: "=>" is not expected here; write >=`},
		{`enr.has("eth2`, `1:9: this text has no closing quote`},
		{`enr.client.name == “Geth”`, `1:20: "“" is not expected here; quotes are " or '`},
		{`has("a") and has("b")`, `1:10: "and" is not expected here; write &&`},
		{"has(\"a\") ||\n not has(\"b\")", `2:6: "has" is not expected here; write ! in place of not`},
		{`has(ip6)`, `1:5: has() takes a key in quotes, as in has("eth2"), or a field, as in has(enr.eth2)`},
		{`eth2.fork_digest == "0x00000000"`, `1:1: there is no "eth2"; did you mean "enr.eth2"?`},
		{`enr.attnets.count() >= 2`, `1:13: there is no "count"; a member stands behind a dot, without parentheses`},
		{`enr["eth2"] == 1`, `[ ] does not go with (Enr, string)`},
		{`true ? true : 1`, `? : does not go with (bool, bool, int)`},
		{`enr.keys.exists(a, enr.keys.exists(b, enr.keys.exists(c, a == b)))`, "1:54: loops such as exists() stand more than 2 deep in each other"},
		{`enr.keys.exists(a, enr.multiaddrs.exists(b, a.contains(b)))`, "1:1: an evaluation may take "},
		{strings.Repeat("(", 200) + "true" + strings.Repeat(")", 200), "expression recursion limit exceeded: 50"},
		{"true" + strings.Repeat("||true", 680), ""},
		{`type(1) == int`, `1:1: there is no "type"`},
		{`timestamp("2020-01-01T00:00:00Z") > timestamp("2020-01-01T00:00:00Z")`, `there is no "timestamp"`},
		{`dyn(1) == 1`, `there is no "dyn"`},
		{`1.5 > 1.0`, ""},
	} {
		_, err := Compile(tc.text)
		switch e := new(Error); {
		case tc.want == "" && err != nil:
			t.Errorf("%.60q: %v", tc.text, err)
		case tc.want == "":
		case !errors.As(err, &e) || !strings.Contains(err.Error(), tc.want):
			t.Errorf("%.60q: %v\nwant %s", tc.text, err, tc.want)
		case strings.ContainsAny(err.Error(), "\n") || len(e.Problems) == 0 || e.Problems[0].Line < 1 || e.Problems[0].Column < 1:
			t.Errorf("%.60q: %#v", tc.text, e)
		}
	}
}

// "in" becomes a name where it is one, and nowhere else.
func TestInIsAName(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{`ip.in("x")`, `ip.i_("x")`},
		{"ip .\tin\n (\"x\")", "ip .\ti_\n (\"x\")"},
		{`"a" in ["a"]`, `"a" in ["a"]`},
		{`enr.in`, `enr.in`},
		{`enr.info("x")`, `enr.info("x")`},
		{`"ip.in(" == 'ip.in('`, `"ip.in(" == 'ip.in('`},
		{`"\".in(" == ip.in("")`, `"\".in(" == ip.i_("")`},
		{`r"\" == ip.in("")`, `r"\" == ip.i_("")`},
		{`"""a".in(""" == ip.in("")`, `"""a".in(""" == ip.i_("")`},
		{"// ip.in(\nip.in(", "// ip.in(\nip.i_("},
		{`"ip.in(`, `"ip.in(`},
		{`ip.`, `ip.`},
		{`ip.in`, `ip.in`},
	} {
		if got := toCEL(tc.in); got != tc.want {
			t.Errorf("%q becomes %q, want %q", tc.in, got, tc.want)
		}
	}
}

package config

import (
	"errors"
	"strings"
	"testing"
)

// Each mistake alone: where it is, what is said, what is advised. A %s in the settings stands for nothing special.
func TestMistakes(t *testing.T) {
	good := record(t, "203.0.113.1:9000")
	broken := good[:20] + "AAAA" + good[24:]
	for _, c := range []struct {
		name, file, env, where, what, advice string
	}{
		{"unknown key", `lissten = []`, "", ":1:1", `unknown key "lissten"`, `did you mean "listen"?`},
		{"unknown key, swapped", `nta = "upnp"`, "", ":1:1", `unknown key "nta"`, `did you mean "nat"?`},
		{"unknown key, nothing near", `colour = "red"`, "", ":1:1", `unknown key "colour"`, "the keys are dev, listen, data_dir"},
		{"unknown nested key", "table {\n  bucket_ip_limt = 2\n}", "", ":2:3", `unknown key "table.bucket_ip_limt"`, `did you mean "bucket_ip_limit"?`},
		{"key of a block at the top", `ipv4_prefix = 24`, "", ":1:1", `unknown key "ipv4_prefix"`, "belongs into table"},
		{"key of the top in a block", "limits {\n nat = \"any\"\n}", "", ":2:2", `unknown key "limits.nat"`, "belongs into the top level"},
		{"block as a key", `table = 3`, "", ":1:1", `"table" is a block`, "table { … }"},
		{"key as a block", `listen { }`, "", ":1:1", `"listen" is not a block`, "write listen = [ … ]"},
		{"block twice", "table {\n}\ntable {\n}", "", ":3:1", `"table" appears twice`, ":1:1"},
		{"label", `table "x" { }`, "", ":1:7", "takes no label", "table { … }"},
		{"broadcast", `listen = ["255.255.255.255:9000"]`, "", ":1:11", "broadcast", "address of this machine"},
		{"broadcast published", `advertise = ["255.255.255.255"]`, "", ":1:14", "not an address that others can send to", "public"},
		{"multicast published", `advertise = ["239.0.0.1:9000"]`, "", ":1:14", "not an address that others can send to", "public"},
		{"key twice", "nat = \"any\"\nnat = \"upnp\"", "", ":2:1", "appears twice", "leave one out"},
		{"syntax", "nat =\nlog_level = \"info\"", "", ":1:6", "a value is missing", "key = value"},
		{"unclosed", `table {`, "", ":1:7", "the block is not closed", "missing }"},
		{"variable", `nat = foo`, "", ":1:7", "a word without quotes", "quotes"},
		{"text for a number", `session_cache = "many"`, "", ":1:17", "wrong type of session_cache", "a number"},
		{"number for text", `nat = 3`, "", ":1:7", "wrong type of nat", "text in quotes"},
		{"number for a flag", `auto_update = 1`, "", ":1:15", "wrong type of auto_update", "true or false"},
		{"null", `nat = null`, "", ":1:7", "wrong type of nat", "text"},
		{"no list", `listen = "0.0.0.0:9000"`, "", ":1:10", "listen must be a list", "listen = [ … ]"},
		{"list in a list", `listen = [["0.0.0.0:9000"]]`, "", ":1:11", "wrong type of listen", "text in quotes"},
		{"fraction", `session_cache = 4096.5`, "", ":1:17", "not a whole number", "64 to"},
		{"out of range", `session_cache = 1`, "", ":1:17", "1 is out of range", "64 to 1048576"},
		{"huge", `session_cache = 1e400`, "", ":1:17", "not a whole number", "64 to"},
		{"word", `network = "mainet"`, "", ":1:11", `"mainet" is unknown`, `did you mean "mainnet"?`},
		{"port only", `listen = [":9000"]`, "", ":1:11", `":9000" is not ip:port`, `"0.0.0.0:9000"`},
		{"no port", `listen = ["::1"]`, "", ":1:11", `"::1" is not ip:port`, `"[::1]:9000"`},
		{"host name", `listen = ["localhost:9000"]`, "", ":1:11", "is not ip:port", "names are not looked up"},
		{"port too large", `listen = ["0.0.0.0:70000"]`, "", ":1:11", "is not ip:port", "an IP address and a port"},
		{"no address at all", `listen = []`, "", ":1:1", "listen is empty", "at least one"},
		{"two of a family", "listen = [\"0.0.0.0:1\",\n \"0.0.0.0:2\"]", "", ":1:1", "second IPv4 address", "one address per family"},
		{"multicast", `listen = ["224.0.0.1:9000"]`, "", ":1:11", "multicast", "address of this machine"},
		{"wildcard published", `advertise = ["0.0.0.0"]`, "", ":1:14", "not an address that others can send to", "public"},
		{"port 0 published", `advertise = ["203.0.113.7:0"]`, "", ":1:14", "port 0", "leave the port out"},
		{"name published", `advertise = ["example.org"]`, "", ":1:14", "is not ip or ip:port", "public IP"},
		{"family not listened on", `advertise = ["2001:db8::1"]`, "", ":1:1", "nothing listens on IPv6", "add an address"},
		{"pinned and mapped", "advertise = [\"203.0.113.7\"]\nnat = \"upnp\"", "", ":2:1", "exclude each other", "leave one out"},
		{"duration without unit", `response_timeout = "4"`, "", ":1:20", `"4" is not a duration`, "500ms"},
		{"duration too long", `response_timeout = "1h"`, "", ":1:20", "out of range", "100ms to 1m"},
		{"protocol id", `protocol_id = "discv55"`, "", ":1:15", "has 7 bytes", "exactly 6"},
		{"damaged record", `bootnodes = ["` + broken + `"]`, "", ":1:14", "is not a node record", "host enr"},
		{"enode URL", `bootnodes = ["enode://aa@1.2.3.4:30303"]`, "", ":1:14", "enode URL, which has no signed record", "copy the whole record"},
		{"some text", `bootnodes = ["1.2.3.4:9000"]`, "", ":1:14", "no \"enr:\" prefix", "host enr TEXT"},
		{"long record", `bootnodes = ["enr:` + strings.Repeat("A", 500) + `"]`, "", ":1:14", "longer than", "one record per element"},
		{"record without address", `bootnodes = ["` + record(t, "") + `"]`, "", ":1:14", "has no UDP address", "address"},
		{"burst below rate", "limits {\n  source_rate = 500\n}", "", ":2:3", "below limits.source_rate 500", "burst"},
		{"variable mistyped", "", "HOST_LISTN=0.0.0.0:1", "environment variable HOST_LISTN", "no such setting", "HOST_LISTEN?"},
		{"variable of a block mistyped", "", "HOST_TABLE__BUCKET_IP_LIMT=3", "HOST_TABLE__BUCKET_IP_LIMT", "no such setting", "HOST_TABLE__BUCKET_IP_LIMIT?"},
		{"variable of a block", "", "HOST_TABLE=3", "environment variable HOST_TABLE", "table is a block", "HOST_TABLE__BUCKET_IP_LIMIT"},
		{"variable of a plugin", "", "HOST_PLUGIN__TALK__ECHO__ENABLED=false", "HOST_PLUGIN__TALK__ECHO__ENABLED", "no variable changes a plugin block", "in files alone"},
		{"variable, one underscore", "", "HOST_ADMIN_TOKEN=hunter2", "HOST_ADMIN_TOKEN", "no such setting", "HOST_ADMIN__TOKEN?"},
		{"variable, short secret", "", "HOST_ADMIN__TOKEN=hunter2", "HOST_ADMIN__TOKEN", "a secret of 7 bytes", "openssl"},
		{"variable, wrong type", "", "HOST_SESSION_CACHE=many", "environment variable HOST_SESSION_CACHE", `"many" is not a whole number`, "64 to"},
		{"variable, not a flag", "", "HOST_AUTO_UPDATE=perhaps", "HOST_AUTO_UPDATE", "is not true or false", "true or false"},
		{"variable, bad element", "", "HOST_LISTEN=0.0.0.0:1,[::]", "HOST_LISTEN", `"[::]" is not ip:port`, `"[::]:9000"`},
	} {
		var env []string
		if c.env != "" {
			env = []string{c.env}
		}
		_, err := load(t, c.file, env)
		ps, ok := errors.AsType[Problems](err)
		if !ok || len(ps) != 1 {
			t.Errorf("%s: %v, want one problem", c.name, err)
			continue
		}
		p := ps[0]
		if !strings.HasSuffix(p.Where, c.where) || !strings.Contains(p.What, c.what) || !strings.Contains(p.Hint, c.advice) {
			t.Errorf("%s: got %q / %q / %q, want %q / %q / %q", c.name, p.Where, p.What, p.Hint, c.where, c.what, c.advice)
		}
		if strings.Contains(p.What, "\n") {
			t.Errorf("%s: %q has several lines", c.name, p.What)
		}
	}
}

// One run tells everything, in the order of the file, with the line and the place marked.
func TestAllMistakesAtOnce(t *testing.T) {
	_, err := load(t, `lissten = ["0.0.0.0:9000"]
nat     = "magic"
table {
	ipv4_prefix = 99
}
bootnodes = ["a", "b"]
log_level =
`, []string{"HOST_SESSION_CACHE=x"}, "--network", "ropsten")
	ps, ok := errors.AsType[Problems](err)
	if !ok {
		t.Fatalf("%v, want problems", err)
	}
	var where []string
	for _, p := range ps {
		_, place, _ := strings.Cut(p.Where, "config.hcl:")
		if place == "" {
			place = p.Where
		}
		where = append(where, place)
	}
	want := "1:1 2:11 4:16 6:14 6:19 7:12 environment variable HOST_SESSION_CACHE flag --network"
	if got := strings.Join(where, " "); got != want {
		t.Errorf("problems at %s, want %s", got, want)
	}
	if want := "    1 | lissten = [\"0.0.0.0:9000\"]\n      | ^^^^^^^"; ps[0].Source != want {
		t.Errorf("source\n%s\nwant\n%s", ps[0].Source, want)
	}
	if want := "    4 |  ipv4_prefix = 99\n      |                ^^"; ps[2].Source != want {
		t.Errorf("source\n%s\nwant\n%s", ps[2].Source, want)
	}
}

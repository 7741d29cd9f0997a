package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/core"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
)

// specified are the methods of the specification, as its file has them.
func specified(t *testing.T) (all []struct {
	Name   string
	Params []object
	Result object
}) {
	t.Helper()
	text, err := os.ReadFile("testdata/discv5-methods.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

var (
	isENR   = regexp.MustCompile(`^enr:[A-Za-z0-9_-]+$`)
	isBytes = regexp.MustCompile(`^0x([0-9a-f]{2})*$`)
	isID    = regexp.MustCompile(`^0x[0-9a-f]{64}$`)
)

// Every method of the specification is called with parameters as it names them, and answers in its form.
func TestSpecifiedMethods(t *testing.T) {
	r := newRig(t, nil)
	remove, err := r.peer.Handle("echo", core.TalkFunc(func(_ context.Context, q core.TalkRequest) ([]byte, error) { return q.Payload, nil }))
	if err != nil {
		t.Fatal(err)
	}
	defer remove()
	peer, id := r.peer.Self().String(), hexID(r.peer.ID())
	enrs := func(v any) bool {
		all, ok := v.([]any)
		return ok && !slices.ContainsFunc(all, func(x any) bool { s, _ := x.(string); return !isENR.MatchString(s) })
	}
	cases := []struct {
		method string
		params []any
		fits   func(any) bool
	}{
		{"discv5_nodeInfo", nil, nil},
		{"discv5_updateNodeInfo", []any{"127.0.0.1:9999", false}, nil},
		{"discv5_addEnr", []any{peer}, func(v any) bool { return v == true }},
		{"discv5_routingTableInfo", nil, func(v any) bool {
			o := v.(object)
			buckets, _ := o["buckets"].([]any)
			found := 0
			for d, b := range buckets {
				for _, x := range b.([]any) {
					if x == id && d == enode.LogDist(r.node.ID(), r.peer.ID())-1 {
						found++
					}
				}
			}
			return o["localNodeId"] == hexID(r.node.ID()) && found == 1 && len(buckets) == 256
		}},
		{"discv5_getEnr", []any{id}, func(v any) bool { return v == peer }},
		{"discv5_lookupEnr", []any{id}, func(v any) bool { return v == peer }},
		{"discv5_ping", []any{peer}, func(v any) bool {
			o := v.(object)
			return o["enrSeq"] == float64(r.peer.Self().Seq()) && o["recipientIP"] == "127.0.0.1" && o["recipientPort"] == float64(r.node.LocalAddrs()[0].Port())
		}},
		{"discv5_findNode", []any{peer, []int{0}}, func(v any) bool { return enrs(v) && len(v.([]any)) == 1 && v.([]any)[0] == peer }},
		{"discv5_talkReq", []any{peer, "0x6563686f", "0x0102"}, func(v any) bool { s, _ := v.(string); return isBytes.MatchString(s) && s == "0x0102" }},
		{"discv5_recursiveFindNodes", []any{id}, func(v any) bool { return enrs(v) && len(v.([]any)) == 1 }},
		{"discv5_deleteEnr", []any{id}, func(v any) bool { return v == true }},
	}
	spec := specified(t)
	if len(spec) != len(cases) {
		t.Errorf("the specification has %d methods, the test %d", len(spec), len(cases))
	}
	for _, c := range cases {
		i := slices.IndexFunc(spec, func(s struct {
			Name   string
			Params []object
			Result object
		}) bool {
			return s.Name == c.method
		})
		if i < 0 {
			t.Errorf("%s is not in the specification", c.method)
			continue
		}
		if len(c.params) != len(spec[i].Params) {
			t.Errorf("%s: %d parameters, the specification has %d", c.method, len(c.params), len(spec[i].Params))
		}
		m := r.server.methods[c.method]
		for k, p := range spec[i].Params {
			if name, ok := p["name"].(string); ok && (m == nil || m.params[k].name != name || m.params[k].optional == (p["required"] == true)) {
				t.Errorf("%s: parameter %d is not %s of the specification", c.method, k, name)
			}
		}
		var result any
		if err := r.client.Call(t.Context(), c.method, c.params, &result); err != nil {
			t.Errorf("%s: %v", c.method, err)
			continue
		}
		schema, _ := spec[i].Result["schema"].(object)
		needed, _ := schema["required"].([]any)
		for _, name := range needed {
			v, ok := result.(object)[name.(string)]
			text, _ := v.(string)
			switch {
			case !ok:
				t.Errorf("%s: no %v in %v", c.method, name, result)
			case name == "enr" && !isENR.MatchString(text), strings.HasSuffix(strings.ToLower(name.(string)), "nodeid") && !isID.MatchString(text):
				t.Errorf("%s: %v is %v", c.method, name, v)
			}
		}
		if c.fits != nil && !c.fits(result) {
			t.Errorf("%s: %v", c.method, result)
		}
	}
}

// What clients send that differs from the specification is understood.
func TestLenientForms(t *testing.T) {
	r := newRig(t, nil)
	peer, id := r.peer.Self().String(), r.peer.ID().String()
	if r.mustCall("discv5_addEnrs", `[[`+quoted(peer)[1:]+`]`) != true || r.mustCall("discv5_addEnrs", quoted(peer, peer)) != true || r.mustCall("discv5_addEnrs", quoted(peer)) != true {
		t.Error("addEnrs")
	}
	for _, params := range []string{quoted(id), quoted("0x" + id), quoted(peer), `{"nodeId": "` + id + `"}`} {
		if r.mustCall("discv5_getEnr", params) != peer {
			t.Errorf("getEnr %s", params)
		}
	}
	r.mustCall("discv5_findNodes", `["`+peer+`", [0]]`)
	r.mustCall("discv5_ping", quoted(id))
	r.mustCall("discv5_talkReq", quoted(peer, "echo", "text"))
	r.mustCall("discv5_talkReq", quoted(peer, "0x6563686f", "0x"))
	if want := []string{"echo text", "echo "}; !slices.Equal(r.node.talked, want) {
		t.Errorf("talk requests %q, want %q", r.node.talked, want)
	}
	value := func(key string) string {
		var v []byte
		if r.node.Self().Load(enr.WithEntry(key, &v)) != nil {
			return "none"
		}
		return fmt.Sprintf("%x", v)
	}
	for i, params := range []string{
		`[[["a", "0x0a0b"]]]`, `[["a", "0a0b"], ["b", "0x01"]]`, `[["a", "0x01"], ["b", "0x02"], ["c", "0x0a"]]`, `[["a", "0x02"]]`, `[[["a", null], ["c", "0x03"]]]`,
	} {
		r.mustCall("discv5_updateNodeInfo", params)
		got := value("a") + " " + value("b") + " " + value("c")
		if want := []string{"0a0b none none", "0a0b 01 none", "01 02 0a", "02 02 0a", "none 02 03"}[i]; got != want {
			t.Errorf("updateNodeInfo %s: fields %s, want %s", params, got, want)
		}
	}
	r.mustCall("discv5_updateNodeInfo", `["127.0.0.1:30303", true]`)
	var tcp enr.TCP
	if err := r.node.Self().Load(&tcp); err != nil || tcp != 30303 {
		t.Errorf("tcp %d %v", tcp, err)
	}
	if _, err := r.call("discv5_updateNodeInfo", `["192.0.2.1:30303", true]`); err == nil || r.node.Self().IPAddr().String() != "127.0.0.1" {
		t.Error("a TCP endpoint at another address than that of UDP is published")
	}
}

func TestHostMethods(t *testing.T) {
	r := newRig(t, nil, accepting("polite"))
	r.fill(t)
	peer, id := r.peer.Self().String(), hexID(r.peer.ID())

	if got := r.mustCall("host_plugins", `[]`).([]any)[0].(object); got["id"] != "talk.echo" || got["talk"].(object)["shed"].(object)["queue"] != 1.0 || got["protocols"].([]any)[0].(object)["hex"] != "0x6563686f00" {
		t.Errorf("%v", got)
	}
	for _, c := range [][2]string{{"host_pluginDisable", "disabled"}, {"host_pluginEnable", "running"}, {"host_pluginRestart", "running"}} {
		if got := r.mustCall(c[0], `["talk.echo"]`).(object); got["state"] != c[1] {
			t.Errorf("%s: %v", c[0], got["state"])
		}
	}
	if want := []string{"disable", "enable", "restart"}; !slices.Equal(r.plugins.calls, want) {
		t.Errorf("%q was done, want %q", r.plugins.calls, want)
	}

	explained := r.mustCall("host_filterExplain", quoted(id)).(object)
	if explained["passes"].(object)["deliver"] != true || len(explained["verdicts"].([]any)) != 3 {
		t.Errorf("%v", explained)
	}

	if got := r.mustCall("host_bans", `[]`).([]any); len(got) != 1 || got[0].(object)["prefix"] != "192.0.2.0/24" || got[0].(object)["reason"] != "test" {
		t.Errorf("%v", got)
	}
	if r.mustCall("host_banRemove", `["192.0.2.77/24"]`) != true || r.mustCall("host_banRemove", `["192.0.2.0/24"]`) != false {
		t.Error("a ban ends not once")
	}
	for _, subject := range []string{"192.0.2.1", "2001:db8::/32", id, peer} {
		r.mustCall("host_banAdd", `["`+subject+`", 60.5]`)
	}
	if bans := r.node.Bans(); len(bans) != 3 || bans[0].Prefix.String() != "192.0.2.1/32" { // the record is of that id
		t.Errorf("%v", bans)
	}
	if r.mustCall("discv5_addEnr", quoted(peer)) != false {
		t.Error("a banned node is taken")
	}
	r.mustCall("host_banRemove", quoted(id))

	before := r.mustCall("host_fields", `[]`).(object)
	after := r.mustCall("host_setFields", `[{"n": 7, "t": "word", "h": "0x0102", "l": {"rlp": "0xc20102"}}]`).(object)
	values := make(map[string]string)
	for _, f := range after["fields"].([]any) {
		values[f.(object)["key"].(string)] = fmt.Sprint(f.(object)["owner"], " ", f.(object)["value"])
	}
	for key, want := range map[string]string{"n": "operator 0x07", "t": "operator 0x776f7264", "h": "operator 0x0102", "l": "operator 0xc20102", "ip": "endpoint 0x7f000001"} {
		if values[key] != want {
			t.Errorf("field %s is %q, want %q", key, values[key], want)
		}
	}
	if before["left"].(float64) <= after["left"].(float64) || after["size"].(float64)+after["left"].(float64) != after["max"].(float64) {
		t.Errorf("budget %v, then %v", before, after)
	}
	r.mustCall("host_setFields", `{"fields": {"n": null}}`)
	last := r.mustCall("host_unsetFields", `["t", "h", "l"]`).(object)
	if last["size"] != before["size"] || last["seq"].(float64) != before["seq"].(float64)+3 {
		t.Errorf("record %v, then %v", before, last)
	}

	if _, err := r.node.Ping(t.Context(), r.peer.Self()); err != nil {
		t.Fatal(err)
	}
	if got := r.mustCall("host_sessions", `[]`).([]any); len(got) != 1 || got[0].(object)["nodeId"] != id {
		t.Fatalf("%v", got)
	}
	if r.mustCall("host_endSession", quoted(id, "127.0.0.1:1")) != 0.0 || r.mustCall("host_endSession", quoted(id)) != 1.0 || len(r.node.Sessions()) != 0 {
		t.Error("the session is not ended")
	}
	if got := r.mustCall("host_status", `[]`).(object); got["version"] != "v1" || got["nodeId"] != hexID(r.node.ID()) || got["plugins"].(object)["serving"] != 1.0 {
		t.Errorf("%v", got)
	}
	if got := r.mustCall("host_methods", `[]`).([]any); len(got) != len(methods)+1 {
		t.Errorf("%d methods", len(got))
	}
}

// What cannot be done says why, with a code, a reason and often a hint.
func TestFailures(t *testing.T) {
	r := newRig(t, nil)
	peer := r.peer.Self().String()
	strange := strings.Repeat("ab", 32)
	for _, c := range []struct {
		method, params string
		code           int
		reason, hint   string
	}{
		{"discv5_pnig", `[]`, CodeNoMethod, "unknown_method", "did you mean discv5_ping?"},
		{"host_banadd", `[]`, CodeNoMethod, "unknown_method", "did you mean host_banAdd?"},
		{"portal_historyPing", `[]`, CodeNoMethod, "unknown_method", "host_methods lists them"},
		{"discv5_ping", `[]`, CodeInvalidParams, "invalid_params", ""},
		{"discv5_ping", `[null]`, CodeInvalidParams, "invalid_params", ""},
		{"discv5_ping", `["enr:-abc"]`, CodeInvalidParams, "invalid_params", ""},
		{"discv5_ping", `[7]`, CodeInvalidParams, "invalid_params", ""},
		{"discv5_ping", `{"node": "x"}`, CodeInvalidParams, "invalid_params", ""},
		{"discv5_ping", `"x"`, CodeInvalidParams, "invalid_params", ""},
		{"discv5_nodeInfo", `[1]`, CodeInvalidParams, "invalid_params", ""},
		{"discv5_ping", quoted(strange), CodeNotFound, "not_found", "discv5_lookupEnr"},
		{"discv5_getEnr", quoted(strange), CodeNotFound, "not_found", "discv5_lookupEnr"},
		{"discv5_getEnr", quoted("0x12"), CodeInvalidParams, "invalid_params", ""},
		{"discv5_lookupEnr", quoted(strange), CodeNotFound, "not_found", ""},
		{"discv5_findNode", `["` + peer + `", [257]]`, CodeInvalidParams, "invalid_params", ""},
		{"discv5_findNode", `["` + peer + `", [-1]]`, CodeInvalidParams, "invalid_params", ""},
		{"discv5_talkReq", quoted(peer, "0x6", "0x"), CodeInvalidParams, "invalid_params", ""},
		{"discv5_talkReq", quoted(peer, "p", "0x"+strings.Repeat("00", 1200)), CodeLimit, "too_large", ""},
		{"discv5_updateNodeInfo", `["nowhere"]`, CodeInvalidParams, "invalid_params", ""},
		{"discv5_updateNodeInfo", `[["a"]]`, CodeInvalidParams, "invalid_params", ""},
		{"discv5_updateNodeInfo", `[["a", "0x0"]]`, CodeInvalidParams, "invalid_params", ""},
		{"discv5_updateNodeInfo", `[["a", "0x00"], 7]`, CodeInvalidParams, "invalid_params", ""},
		{"host_pluginRestart", `["ecko"]`, CodeNotFound, "unknown_plugin", "did you mean echo?"},
		{"host_banAdd", `["nobody", "1h"]`, CodeInvalidParams, "invalid_params", ""},
		{"host_banAdd", `["192.0.2.1", "soon"]`, CodeInvalidParams, "invalid_params", ""},
		{"host_banAdd", `["192.0.2.1", -1]`, CodeInvalidParams, "invalid_params", ""},
		{"host_banAdd", `["192.0.2.1", 1e300]`, CodeInvalidParams, "invalid_params", ""},
		{"host_setFields", `[{"secp256k1": "0x00"}]`, CodeFailed, "field_", ""},
		{"host_setFields", `[{"a": [1]}]`, CodeInvalidParams, "invalid_params", ""},
		{"host_setFields", `[{"a": {"rlp": "0xc2"}}]`, CodeInvalidParams, "invalid_params", ""},
		{"host_setFields", `[{"a": "0x` + strings.Repeat("00", 300) + `"}]`, CodeLimit, "record_too_large", "host_fields"},
		{"host_endSession", quoted(strange, "x"), CodeInvalidParams, "invalid_params", ""},
	} {
		_, err := r.call(c.method, c.params)
		e, ok := errors.AsType[*Error](err)
		if !ok {
			t.Errorf("%s %s: %v", c.method, c.params, err)
			continue
		}
		if e.Code != c.code || e.Data == nil || !strings.HasPrefix(e.Data.Reason, c.reason) || !strings.Contains(hint.Of(err), c.hint) {
			t.Errorf("%s %s: %d %v %+v", c.method, c.params, e.Code, e, e.Data)
		}
	}
	if stats := r.server.Stats(); stats.Calls != 32 || stats.FailedCalls != 32 {
		t.Errorf("%+v", stats)
	}
}

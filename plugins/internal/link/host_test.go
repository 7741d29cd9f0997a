package link

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/discv5/host/core"
	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
)

const (
	codeTimeout     = pluginpb.CallCode_CALL_CODE_TIMEOUT
	codeNotGranted  = pluginpb.CallCode_CALL_CODE_NOT_GRANTED
	codeExhausted   = pluginpb.CallCode_CALL_CODE_EXHAUSTED
	codeTooLarge    = pluginpb.CallCode_CALL_CODE_TOO_LARGE
	codeInvalid     = pluginpb.CallCode_CALL_CODE_INVALID
	codeNotFound    = pluginpb.CallCode_CALL_CODE_NOT_FOUND
	codeNoRecord    = pluginpb.CallCode_CALL_CODE_NO_RECORD
	codeOwned       = pluginpb.CallCode_CALL_CODE_OWNED
	codeUnavailable = pluginpb.CallCode_CALL_CODE_UNAVAILABLE
	codeCancelled   = pluginpb.CallCode_CALL_CODE_CANCELLED
)

func TestHostAsksTheNetwork(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		th := openHost(t, HostConfig{})
		node := th.node.known[0]
		to := &pluginpb.Target{Record: recordOf(node)}
		if r := th.call(selfCall()).GetSelf(); string(r.GetRecord()) != string(recordOf(th.node.self)) {
			t.Errorf("self is %v", r)
		}
		r := th.call(pingCall(to)).GetPing()
		if r.EnrSeq != node.Seq() || r.RttUs != 1500 || r.RecipientPort != 9000 || string(r.RecipientIp) != "\xcb\x00\x71\x01" {
			t.Errorf("pong is %v", r)
		}
		th.call(pingCall(&pluginpb.Target{NodeId: node.ID().Bytes()}))
		th.call(pingCall(&pluginpb.Target{NodeId: node.ID().Bytes(), Ip: []byte{127, 0, 0, 1}, Port: 9000}))
		wantNodes := func(c *pluginpb.HostCall, want int) {
			t.Helper()
			got := th.call(c).GetNodes().GetNodes()
			if len(got) != want {
				t.Fatalf("%v: %d nodes, want %d", c, len(got), want)
			}
			if n, _, err := newRecords().verify(got[0].Record); err != nil || string(n.ID().Bytes()) != string(got[0].NodeId) {
				t.Errorf("node is %v: %v", got[0], err)
			}
		}
		id := node.ID().Bytes()
		wantNodes(findCall(to, 255, 256), 2)
		wantNodes(lookupCall(&pluginpb.LookupCall{}), 3)
		wantNodes(lookupCall(&pluginpb.LookupCall{Target: id, Query: true, Want: 3, Match: []*pluginpb.FieldMatch{{Key: "id"}}}), 1)
		wantNodes(resolveCall(id, false), 1)
		wantNodes(resolveCall(id, true), 1)
		wantNodes(closestCall(id, 2), 2)
		wantNodes(sampleCall(5), 3)
		if got := th.call(talkCall(to, "hello")).GetTalk(); string(got.GetPayload()) != "re hello" {
			t.Errorf("response is %v", got)
		}
		th.call(sendCall(&pluginpb.Target{NodeId: id, Ip: []byte{127, 0, 0, 1}, Port: 9}, "x"))
		if len(th.node.sent) != 1 || th.node.sent[0] != "utp x" {
			t.Errorf("sent %v", th.node.sent)
		}
	})
}

func TestHostRefusesCallsThatMakeNoSense(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		th := openHost(t, HostConfig{Rate: 1_000_000})
		id := th.node.known[0].ID().Bytes()
		to := &pluginpb.Target{Record: recordOf(th.node.known[0])}
		forged := recordOf(th.node.known[0])
		forged[len(forged)-1] ^= 1
		stranger := make([]byte, 32)
		for _, c := range []*pluginpb.HostCall{
			{}, pingCall(nil), pingCall(&pluginpb.Target{Record: forged}), pingCall(&pluginpb.Target{Record: make([]byte, 5000)}),
			pingCall(&pluginpb.Target{NodeId: id, Ip: []byte{1, 2, 3}, Port: 1}), pingCall(&pluginpb.Target{NodeId: id, Ip: []byte{1, 2, 3, 4}}),
			pingCall(&pluginpb.Target{NodeId: id, Ip: []byte{1, 2, 3, 4}, Port: 9}), // another address than the record's
			findCall(to, 257), findCall(to, make([]uint32, 300)...), talkCall(nil, ""), sendCall(&pluginpb.Target{NodeId: id}, ""),
			lookupCall(&pluginpb.LookupCall{Target: []byte("short")}), lookupCall(&pluginpb.LookupCall{Match: make([]*pluginpb.FieldMatch, 17)}),
			resolveCall(nil, false), resolveCall(nil, true), closestCall(nil, 1), closestCall(id, 0), closestCall(id, 257),
			sampleCall(0), sampleCall(257), sampleCall(1, make([]*pluginpb.FieldMatch, 17)...),
			fieldsCall(), fieldsCall(&pluginpb.RecordField{Key: "", Value: []byte{1}}), fieldsCall(&pluginpb.RecordField{Key: "a", Value: []byte{0xc8}}),
			fieldsCall(&pluginpb.RecordField{Key: "a", Value: []byte{1, 1}}), fieldsCall(make([]*pluginpb.RecordField, 33)...),
			putCall(&pluginpb.KvEntry{}), putCall(make([]*pluginpb.KvEntry, 257)...), getCall(""), getCall(make([]string, 257)...),
			scanCall("", "", 0), scanCall("", "", 257), deleteCall(strings.Repeat("k", 257)),
			banCall(nil), banCall(&pluginpb.BanCall{NodeId: id, Prefix: "10.0.0.0/24", DurationS: 5}), banCall(&pluginpb.BanCall{NodeId: id}),
			banCall(&pluginpb.BanCall{NodeId: id, DurationS: 31 * 24 * 3600}), banCall(&pluginpb.BanCall{NodeId: id, DurationS: 1 << 63}),
			banCall(&pluginpb.BanCall{NodeId: stranger, DurationS: 5}), banCall(&pluginpb.BanCall{NodeId: th.node.self.ID().Bytes(), DurationS: 5}),
			banCall(&pluginpb.BanCall{Prefix: "0.0.0.0/0", DurationS: 5}), banCall(&pluginpb.BanCall{Prefix: "::/0", DurationS: 5}),
			banCall(&pluginpb.BanCall{Prefix: "::ffff:1.2.3.4/128", DurationS: 5}), banCall(&pluginpb.BanCall{Prefix: "x", DurationS: 5}),
			unbanCall(&pluginpb.UnbanCall{}),
		} {
			th.wantError(c, codeInvalid)
		}
		th.wantError(pingCall(&pluginpb.Target{NodeId: stranger}), codeNoRecord)
		th.wantError(resolveCall(stranger, true), codeNotFound)
		th.wantError(resolveCall(stranger, false), codeNotFound)
		th.wantError(talkCall(to, strings.Repeat("x", 1174)), codeTooLarge)
		th.wantError(putCall(&pluginpb.KvEntry{Key: []byte("k"), Value: make([]byte, 32<<10+1)}), codeTooLarge)
		th.wantError(unbanCall(&pluginpb.UnbanCall{NodeId: id}), codeNotFound)
		if len(th.node.bans) > 0 || len(th.node.talks) > 0 {
			t.Errorf("something was done: %v %v", th.node.bans, th.node.talks)
		}
	})
}

func TestHostGrantsCallsOneByOne(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		all := map[string][]*pluginpb.HostCall{
			"self": {selfCall()}, "ping": {pingCall(nil)}, "findnode": {findCall(nil)}, "talk": {talkCall(nil, ""), sendCall(nil, "")},
			"lookup": {lookupCall(&pluginpb.LookupCall{})}, "resolve": {resolveCall(nil, true), resolveCall(nil, false)}, "closest": {closestCall(nil, 1)},
			"sample": {sampleCall(1)}, "watch": {watchCall()}, "record": {fieldsCall()},
			"kv": {putCall(), getCall(), scanCall("", "", 1), deleteCall()}, "ban": {banCall(nil), unbanCall(nil)},
		}
		for _, granted := range allGrants {
			th := openHost(t, HostConfig{Grants: []string{granted}, Rate: 1_000_000})
			for needed, calls := range all {
				for _, c := range calls {
					r := th.reply(th.send(c))
					if refused := r.GetError().GetCode() == codeNotGranted; refused == (needed == granted) {
						t.Errorf("with grant %s: %T is %v", granted, c.Call, r)
					}
				}
			}
		}
	})
}

func TestHostErrorsHaveCodes(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		th := openHost(t, HostConfig{Rate: 1_000_000})
		to := &pluginpb.Target{Record: recordOf(th.node.known[0])}
		for err, want := range map[error]pluginpb.CallCode{
			core.ErrTimeout: codeTimeout, core.ErrBusy: codeExhausted, core.ErrNoAddress: pluginpb.CallCode_CALL_CODE_NO_ADDRESS,
			core.ErrNoRecord: codeNoRecord, core.ErrBanned: pluginpb.CallCode_CALL_CODE_BANNED, core.ErrClosed: codeUnavailable,
			core.ErrSelf: codeInvalid, core.ErrInvalidResponse: pluginpb.CallCode_CALL_CODE_UNSPECIFIED,
		} {
			th.node.err = fmt.Errorf("wrapped: %w", err)
			th.wantError(pingCall(to), want)
			th.wantError(talkCall(to, ""), want)
			th.wantError(sendCall(&pluginpb.Target{NodeId: th.node.known[0].ID().Bytes(), Ip: []byte{127, 0, 0, 1}, Port: 9}, ""), want)
		}
		for err, want := range map[error]pluginpb.CallCode{
			&core.FieldOwnedError{Key: "eth2", Owner: "operator"}: codeOwned, core.ErrFieldReserved: codeOwned,
			&core.RecordTooLargeError{Size: 301, Max: 300}: codeTooLarge, core.ErrRecordNotSaved: codeUnavailable,
		} {
			th.node.err = err
			th.wantError(fieldsCall(&pluginpb.RecordField{Key: "a", Value: []byte{1}}), want)
		}
		th.node.err = nil
		th.space.err = core.ErrSpaceFull
		th.wantError(putCall(), codeTooLarge)
		th.space.err = fmt.Errorf("%w: %w", core.ErrSpaceUnread, context.DeadlineExceeded)
		th.wantError(getCall("k"), codeUnavailable)
	})
}

func TestHostStartsTalkCallsTogether(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		th := openHost(t, HostConfig{})
		to := &pluginpb.Target{Record: recordOf(th.node.known[0])}
		m := &pluginpb.HostCalls{}
		for i := range 40 {
			c := talkCall(to, "x")
			if c.Id = uint64(i + 1); i%2 == 0 {
				c = sendCall(to, "x") // without an id: no reply
			}
			m.Calls = append(m.Calls, c)
		}
		th.calls <- m
		synctest.Wait()
		if th.node.turns != 1 || len(th.node.talks) != 40 || len(th.replies) != 20 {
			t.Errorf("%d calls in %d turns, %d replies", len(th.node.talks), th.node.turns, len(th.replies))
		}
	})
}

func TestHostTellsWhoSetsFields(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		th := openHost(t, HostConfig{})
		r := th.call(fieldsCall(&pluginpb.RecordField{Key: "c", Value: []byte{0x83, 'a', 'b', 'c'}}, &pluginpb.RecordField{Key: "old"})).GetSetFields()
		if r.Seq != 5 || r.Size != 170 || r.Limit != 300 {
			t.Errorf("result is %v", r)
		}
		if th.node.owner != "plugin/counter" || string(th.node.fields["c"].(rlp.RawValue)) != "\x83abc" || len(th.node.removed) != 1 || th.node.removed[0] != "old" {
			t.Errorf("%s set %v and removed %v", th.node.owner, th.node.fields, th.node.removed)
		}
	})
}

func TestHostKeepsKeys(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		th := openHost(t, HostConfig{Rate: 1_000_000})
		th.call(putCall(&pluginpb.KvEntry{Key: []byte("a/1"), Value: []byte("x"), ExpiresMs: 1_900_000_000_000}, &pluginpb.KvEntry{Key: []byte("a/2")}))
		if got := th.call(getCall("a/2", "none", "a/1")).GetKv().GetEntries(); len(got) != 2 || string(got[1].Value) != "x" || got[1].ExpiresMs != 1_900_000_000_000 || got[0].ExpiresMs != 0 {
			t.Errorf("got %v", got)
		}
		if got := th.call(scanCall("a/", "a/1", 10)).GetKv().GetEntries(); len(got) != 1 || string(got[0].Key) != "a/2" {
			t.Errorf("scanned %v", got)
		}
		th.call(deleteCall("a/1", "a/2"))
		if got := th.call(getCall("a/1")).GetKv().GetEntries(); len(got) != 0 {
			t.Errorf("got %v", got)
		}
		var keys []string
		for i := range 40 {
			keys = append(keys, fmt.Sprintf("b/%02d", i))
			th.call(putCall(&pluginpb.KvEntry{Key: []byte(keys[i]), Value: make([]byte, maxKvValue)}))
		}
		th.wantError(getCall(keys...), codeTooLarge)
		if got := th.call(scanCall("b/", "", 40)).GetKv().GetEntries(); len(got) != 31 {
			t.Errorf("scanned %d", len(got))
		}
		th.Host.cfg.Space = nil
		th.wantError(getCall("a"), codeUnavailable)
	})
}

func TestHostBansInThePluginsName(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		th := openHost(t, HostConfig{Rate: 1_000_000})
		id := th.node.known[0].ID()
		th.call(banCall(&pluginpb.BanCall{NodeId: id.Bytes(), Reason: "spams\x1b" + strings.Repeat("x", 200), DurationS: 3600}))
		th.call(banCall(&pluginpb.BanCall{Prefix: "203.0.113.77/24", DurationS: 1}))
		b := th.node.bans[0]
		if b.ID != id || !strings.HasPrefix(b.Reason, "plugin/counter: spamsxx") || len(b.Reason) > 100 || !b.Until.Equal(time.Now().Add(time.Hour)) {
			t.Errorf("ban is %+v", b)
		}
		if want := netip.MustParsePrefix("203.0.113.0/24"); th.node.bans[1].Prefix != want {
			t.Errorf("range is %v", th.node.bans[1].Prefix)
		}
		th.call(unbanCall(&pluginpb.UnbanCall{Prefix: "203.0.113.0/24"}))
		other := enode.ID{9}
		for _, reason := range []string{"operator says so", "plugin/counter2: no", "plugin/counterfeit"} {
			th.node.bans = append(th.node.bans[:1], core.Ban{ID: other, Reason: reason})
			th.wantError(unbanCall(&pluginpb.UnbanCall{NodeId: other.Bytes()}), codeOwned)
		}
		if len(th.node.bans) != 2 {
			t.Errorf("bans are %v", th.node.bans)
		}
	})
}

func TestHostPassesEventsOn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		th := openHost(t, HostConfig{})
		node := th.node.known[0]
		next := func() *pluginpb.HostEvent {
			t.Helper()
			synctest.Wait()
			select {
			case e := <-th.events:
				return e
			default:
				t.Fatal("no event")
				return nil
			}
		}
		th.call(watchCall())
		at := netip.MustParseAddrPort("[2001:db8::1]:9000")
		th.node.events <- core.Event{Type: core.Banned}
		th.node.events <- core.Event{Type: core.NodeUpdated, Time: time.UnixMilli(77), ID: node.ID(), Node: node, Lost: 3}
		th.node.events <- core.Event{Type: core.SessionUp, ID: node.ID(), Addr: at}
		if e := next(); e.Kind != pluginpb.EventKind_EVENT_KIND_NODE_UPDATED || string(e.Record) != string(recordOf(node)) || e.TimeMs != 77 || e.Lost != 3 {
			t.Errorf("event is %v", e)
		}
		if e := next(); e.Kind != pluginpb.EventKind_EVENT_KIND_SESSION_UP || string(e.Ip) != string(at.Addr().AsSlice()) || e.Port != 9000 || e.Lost != 0 {
			t.Errorf("event is %v", e)
		}
		first := th.node.events
		th.call(watchCall(pluginpb.EventKind_EVENT_KIND_NODE_ADDED))
		if _, open := <-first; open {
			t.Error("the first watch goes on")
		}
		th.node.events <- core.Event{Type: core.SessionUp, Lost: 2}
		th.node.events <- core.Event{Type: core.NodeAdded}
		if e := next(); e.Kind != pluginpb.EventKind_EVENT_KIND_NODE_ADDED || e.Lost != 2 {
			t.Errorf("event is %v", e)
		}
		if s := th.Stats(); s.Events != 3 || s.Lost != 5 {
			t.Errorf("stats are %+v", s)
		}
	})
}

func TestMatchersCompareTheContent(t *testing.T) {
	n := testNode(t, newKey(t), 1, enr.WithEntry("c", []byte("abc")), enr.WithEntry("attnets", []byte{1, 2}))
	for _, c := range []struct {
		match []*pluginpb.FieldMatch
		want  bool
	}{
		{[]*pluginpb.FieldMatch{{Key: "c"}}, true},
		{[]*pluginpb.FieldMatch{{Key: "c", Value: []byte("abc")}, {Key: "attnets"}}, true},
		{[]*pluginpb.FieldMatch{{Key: "c", Value: []byte("ab")}}, false},
		{[]*pluginpb.FieldMatch{{Key: "c"}, {Key: "eth2"}}, false},
		{[]*pluginpb.FieldMatch{{Key: "udp", Value: []byte{0x23, 0x28}}}, true},
		{[]*pluginpb.FieldMatch{nil}, false},
		{[]*pluginpb.FieldMatch{{Expression: `enr.has("c") && udp == 9000`}}, true},
		{[]*pluginpb.FieldMatch{{Expression: `enr.has("c")`}, {Key: "eth2"}}, false},
		{[]*pluginpb.FieldMatch{{Expression: `enr.has("eth2")`}}, false},
	} {
		match, err := (&conditions{self: func() *enode.Node { return n }}).matcher(c.match)
		if err != nil || match(n) != c.want {
			t.Errorf("%v: %v, %v", c.match, match(n), err)
		}
	}
}

func TestExpressionsOfCalls(t *testing.T) {
	self := testNode(t, newKey(t), 1)
	c := conditions{self: func() *enode.Node { return self }}
	for _, wrong := range []*pluginpb.FieldMatch{{Expression: "enr.has("}, {Expression: "no_such_name"}, {Expression: "true", Key: "c"}, {Expression: strings.Repeat("true && ", 1000) + "true"}} {
		if _, err := c.matcher([]*pluginpb.FieldMatch{wrong}); err == nil {
			t.Errorf("%.40v was taken", wrong)
		}
	}
	for i := range 3 * maxPrograms {
		if _, err := c.matcher([]*pluginpb.FieldMatch{{Expression: fmt.Sprintf("udp == %d", i%(2*maxPrograms))}}); err != nil || len(c.programs) > maxPrograms {
			t.Fatalf("%v, and %d programs are kept", err, len(c.programs))
		}
	}
}

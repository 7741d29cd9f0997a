package link

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/discv5/host/core"
	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"google.golang.org/protobuf/proto"
)

// sizes of fields, so that every length of a length is met.
func randomBytes(random *rand.Rand) []byte {
	b := make([]byte, [...]int{0, 1, 32, 127, 128, 1177, 20_000}[random.IntN(7)])
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return b
}

// wantMessage checks that b is the message that generated code reads as want.
func wantMessage(t *testing.T, b []byte, got, want proto.Message) {
	t.Helper()
	if err := proto.Unmarshal(b, got); err != nil {
		t.Fatalf("%v in %x", err, b)
	}
	if !proto.Equal(got, want) {
		t.Fatalf("wrote %v, want %v", got, want)
	}
}

func TestTalkRequestsAreTheGeneratedOnes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for range 500 {
		var b []byte
		want := &pluginpb.TalkRequests{}
		for range random.IntN(3) {
			number, id := random.Uint32N(maxPeers), enode.ID(randomID())
			ip := []byte{10, 1, 2, 3}
			if random.IntN(2) == 0 {
				ip = append([]byte{0x20, 1}, make([]byte, 14)...)
			}
			addr, _ := netip.AddrFromSlice(ip)
			port := uint16(random.Uint32())
			record := randomBytes(random)
			b = appendTalkPeer(b, number, id, netip.AddrPortFrom(addr, port), record)
			want.Peers = append(want.Peers, &pluginpb.TalkPeer{Number: number, NodeId: id[:], Ip: ip, Port: uint32(port), Record: record})
		}
		for range random.IntN(4) {
			q := &pluginpb.TalkRequest{
				Id: random.Uint64() >> random.IntN(64), Peer: random.Uint32N(maxPeers), Protocol: random.Uint32N(3),
				Payload: randomBytes(random), TimeoutUs: 1 + random.Uint32N(1_000_000),
			}
			b = appendTalkRequest(b, q.Id, q.Peer, q.Protocol, q.Payload, time.Duration(q.TimeoutUs)*time.Microsecond)
			want.Requests = append(want.Requests, q)
		}
		for range random.IntN(4) {
			want.Cancelled = append(want.Cancelled, random.Uint64()>>random.IntN(64))
		}
		b = appendTalkCancelled(b, want.Cancelled)
		wantMessage(t, b, new(pluginpb.TalkRequests), want)
	}
}

func TestTalkResponsesAreReadAsGeneratedCodeDoes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		m := &pluginpb.TalkResponses{}
		for range random.IntN(5) {
			m.Responses = append(m.Responses, &pluginpb.TalkResponse{
				Id: random.Uint64() >> random.IntN(64), Payload: randomBytes(random), Error: [...]string{"", "no"}[random.IntN(2)],
			})
		}
		b, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, 0x12, 1, 'x', 0x18, 5, 0x25, 1, 2, 3, 4) // fields of a later version
		for i := 0; ; i++ {
			r, rest, ok := nextTalkResponse(b)
			if !ok {
				t.Fatalf("refused %x", b)
			}
			if i == len(m.Responses) {
				if r.id != 0 || len(rest) > 0 {
					t.Fatalf("another one: %v", r)
				}
				break
			}
			want := m.Responses[i]
			if r.id != want.Id || string(r.payload) != string(want.Payload) || string(r.failure) != want.Error {
				t.Fatalf("read %v, want %v", r, want)
			}
			b = rest
		}
	}
}

func TestFilterMessagesAreTheGeneratedOnes(t *testing.T) {
	nodes := []*enode.Node{testNode(t, newKey(t), 1), testNode(t, newKey(t), 1<<40)}
	b := appendFilterBatch(nil, 77, core.StageDeliver, nodes, 300*time.Millisecond)
	want := &pluginpb.FilterBatch{Id: 77, Stage: pluginpb.Stage_STAGE_DELIVER, TimeoutMs: 300}
	for _, n := range nodes {
		want.Nodes = append(want.Nodes, &pluginpb.FilterNode{NodeId: n.ID().Bytes(), Record: recordOf(n)})
	}
	wantMessage(t, b, new(pluginpb.FilterBatch), want)

	m := &pluginpb.FilterVerdicts{Id: 77, Error: "e\x1b", Verdicts: []*pluginpb.Verdict{
		{Decision: pluginpb.Decision_DECISION_REJECT, Reason: "no_eth2", TtlS: 60}, {}, {Decision: 300, TtlS: 1<<32 - 1},
	}}
	if b, err := proto.Marshal(m); err != nil {
		t.Fatal(err)
	} else {
		out := make([]core.Verdict, 3)
		a, ok := parseFilterVerdicts(b, make(reasons), out)
		if !ok || a.id != 77 || a.count != 3 || a.failure != "e" {
			t.Errorf("read %+v, %v", a, ok)
		}
		if out[0] != (core.Verdict{Decision: core.Reject, Reason: "no_eth2", TTL: time.Minute}) || out[1] != (core.Verdict{}) || out[2].Decision <= core.Reject {
			t.Errorf("verdicts are %+v", out)
		}
	}
}

func FuzzWire(f *testing.F) {
	b, _ := proto.Marshal(&pluginpb.TalkResponses{Responses: []*pluginpb.TalkResponse{{Id: 1, Payload: []byte("x"), Error: "y"}}})
	f.Add(b)
	b, _ = proto.Marshal(&pluginpb.FilterVerdicts{Id: 1, Verdicts: []*pluginpb.Verdict{{Decision: 1, Reason: "a", TtlS: 2}}})
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		for rest, ok := b, true; ok && len(rest) > 0; {
			before := len(rest)
			if _, rest, ok = nextTalkResponse(rest); ok && len(rest) >= before {
				t.Fatal("no progress")
			}
		}
		out := make([]core.Verdict, 2)
		parseFilterVerdicts(b, make(reasons), out)
	})
}

func TestCleanLeavesNothingHarmful(t *testing.T) {
	for in, want := range map[string]string{
		"fine":                           "fine",
		"a\x1b[31mred\x00":               "a[31mred",
		"two\nlines\tmore\r":             "two lines more",
		"broken \xff\xc3":                "broken",
		"right\u202eleft\u2066 ok":       "rightleft ok",
		"0123456789abcdef0123456789":     "0123456789abcdef0123",
		"0123456789abcdef01\u00e9\u00e9": "0123456789abcdef01\u00e9",
		"0123456789abcdef012\u00e9":      "0123456789abcdef012",
	} {
		if got := clean(in, 20); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
}

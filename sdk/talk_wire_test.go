package sdk

import (
	"bytes"
	"math"
	"testing"

	"github.com/discv5/host/sdk/pluginpb"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
)

// talkSamples are batches with every field, at its bounds, and without.
func talkSamples() []*pluginpb.TalkRequests {
	return []*pluginpb.TalkRequests{
		{},
		{Peers: []*pluginpb.TalkPeer{{}}, Requests: []*pluginpb.TalkRequest{{}}},
		{
			Peers: []*pluginpb.TalkPeer{
				{Number: 4095, NodeId: bytes.Repeat([]byte{7}, 32), Ip: []byte{192, 0, 2, 1}, Port: 65535, Record: bytes.Repeat([]byte{9}, 300)},
				{Number: 1, NodeId: []byte{1}},
			},
			Requests: []*pluginpb.TalkRequest{
				{Id: math.MaxUint64, Peer: math.MaxUint32, Protocol: 63, Payload: []byte("hello"), TimeoutUs: 300_000},
				{Id: 1, Payload: make([]byte, 1177)},
			},
			Cancelled: []uint64{1, math.MaxUint64, 300},
		},
	}
}

// same tells how a decoded batch differs from what generated code makes of it.
func same(t *testing.T, got *talkBatchIn, want *pluginpb.TalkRequests) {
	t.Helper()
	again := &pluginpb.TalkRequests{Cancelled: got.cancelled}
	for _, p := range got.peers {
		again.Peers = append(again.Peers, &pluginpb.TalkPeer{Number: p.number, NodeId: p.id, Ip: p.ip, Port: p.port, Record: p.record})
	}
	for _, r := range got.requests {
		again.Requests = append(again.Requests, &pluginpb.TalkRequest{Id: r.id, Peer: r.peer, Protocol: r.protocol, Payload: r.payload, TimeoutUs: r.timeoutMicro})
	}
	if !proto.Equal(again, want) {
		t.Errorf("decoded as\n%v, not\n%v", again, want)
	}
}

func TestTalkRequestsDecode(t *testing.T) {
	for _, want := range talkSamples() {
		b, err := proto.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var m talkBatchIn
		if err := newCodec().Unmarshal(mem.BufferSlice{mem.SliceBuffer(b)}, &m); err != nil {
			t.Fatal(err)
		}
		same(t, &m, want)
		m.free()
		unknown := append([]byte{9 << 3, 5, 10<<3 | 1, 1, 2, 3, 4, 5, 6, 7, 8, 11<<3 | 2, 1, 0, 3 << 3, 200, 1}, b...)
		if !m.parse(unknown) { // fields of later versions, and a list that is not packed
			t.Error("unknown fields")
		}
		later := proto.CloneOf(want)
		later.Cancelled = append([]uint64{200}, want.Cancelled...)
		same(t, &m, later)
	}
}

// What generated code refuses is refused, and nothing panics.
func FuzzTalkRequestsDecode(f *testing.F) {
	for _, m := range talkSamples() {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		for end := 0; end < len(b); end += 1 + len(b)/100 {
			f.Add(b[:end])
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var want pluginpb.TalkRequests
		err := proto.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(b, &want)
		var got talkBatchIn
		if ok := got.parse(b); ok != (err == nil) {
			t.Fatalf("%v, generated code says %v", ok, err)
		} else if ok {
			same(t, &got, &want)
		}
	})
}

func TestTalkResponsesEncode(t *testing.T) {
	batch := []talkAnswer{{}, {id: math.MaxUint64, payload: make([]byte, 1177)}, {id: 1, fault: "late"}, {id: 300, payload: []byte{1}, fault: "both"}}
	want := &pluginpb.TalkResponses{}
	for _, a := range batch {
		want.Responses = append(want.Responses, &pluginpb.TalkResponse{Id: a.id, Payload: a.payload, Error: a.fault})
	}
	data, err := newCodec().Marshal(encodeTalk(batch))
	if err != nil {
		t.Fatal(err)
	}
	bare, err := proto.MarshalOptions{Deterministic: true}.Marshal(want)
	if err != nil || !bytes.Equal(data.Materialize(), bare) {
		t.Errorf("encoded as %x, not as %x (%v)", data.Materialize(), bare, err)
	}
}

func TestCodecOfOtherMessages(t *testing.T) {
	want := &pluginpb.HealthResponse{Message: "well"}
	data, err := newCodec().Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got pluginpb.HealthResponse
	if err := newCodec().Unmarshal(data, &got); err != nil || !proto.Equal(&got, want) {
		t.Errorf("%v, %v", &got, err)
	}
}

func TestTalkDecodingIsFree(t *testing.T) {
	b, err := proto.Marshal(talkSamples()[2])
	if err != nil {
		t.Fatal(err)
	}
	var m talkBatchIn
	if n := testing.AllocsPerRun(100, func() {
		if m.free(); !m.parse(b) {
			t.Error("not parsed")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

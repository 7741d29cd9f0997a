package sdktest

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/discv5/host/sdk/pluginpb"
)

// talk checks the data stream of a talk plugin. What it answers is its own matter; that it answers is not.
func (s *suiteRun) talk(t T) {
	t.Run("one request", func(t T) { s.round(t, func(r *talkRound) { r.add(r.request([]byte("hello"))) }) })
	t.Run("every protocol", func(t T) {
		s.round(t, func(r *talkRound) {
			for i := range r.x.protocols {
				q := r.request([]byte("hello"))
				q.Protocol = uint32(i)
				r.add(q)
			}
		})
	})
	t.Run("empty payload", func(t T) { s.round(t, func(r *talkRound) { r.add(r.request(nil)) }) })
	t.Run("largest payload", func(t T) {
		s.round(t, func(r *talkRound) {
			for i, p := range r.x.protocols {
				q := r.request(make([]byte, maxTalk-len(p)))
				q.Protocol = uint32(i)
				r.add(q)
			}
		})
	})
	t.Run("any bytes", func(t T) {
		random := rand.New(rand.NewPCG(1, 2))
		s.round(t, func(r *talkRound) {
			for range 100 {
				payload := make([]byte, random.IntN(200))
				for i := range payload {
					payload[i] = byte(random.Uint32())
				}
				r.add(r.request(payload))
			}
		})
	})
	t.Run("many at a time", func(t T) {
		s.round(t, func(r *talkRound) {
			for range r.x.inFlight {
				r.add(r.request([]byte("hello")))
			}
		})
	})
	t.Run("ids of any size", func(t T) {
		s.round(t, func(r *talkRound) {
			for _, id := range []uint64{1 << 63, 1<<64 - 1, 1 << 32, 7, 0} {
				q := r.request([]byte("hello"))
				q.Id = id
				r.add(q)
			}
		})
	})
	t.Run("unknown protocol", func(t T) {
		s.round(t, func(r *talkRound) {
			for _, place := range []uint32{uint32(len(r.x.protocols)), 1 << 31} {
				q := r.request([]byte("hello"))
				q.Protocol = place
				r.add(q)
				r.mustBeEmpty = append(r.mustBeEmpty, q.Id)
			}
			r.add(r.request([]byte("and one that it knows")))
		})
	})
	t.Run("late", func(t T) {
		s.round(t, func(r *talkRound) {
			for range 10 {
				q := r.request([]byte("hello"))
				q.TimeoutUs = 1
				r.add(q)
			}
		})
	})
	t.Run("cancelled", func(t T) {
		s.round(t, func(r *talkRound) {
			for range 20 {
				q := r.request([]byte("hello"))
				r.add(q)
				r.batch.Cancelled = append(r.batch.Cancelled, q.Id)
			}
			r.batch.Cancelled = append(r.batch.Cancelled, 1<<40, 1<<40) // not known, and twice
		})
	})
	t.Run("peers", s.peers)
	t.Run("batches", func(t T) {
		x := s.start(t)
		stream, err := x.talkStream()
		if err != nil {
			t.Fatalf("%v", err)
		}
		r := newTalkRound(x, stream)
		for size := 1; size <= min(64, x.inFlight); size *= 2 {
			for range size {
				r.add(r.request([]byte(fmt.Sprint(size))))
			}
			if err := r.send(); err != nil {
				t.Fatalf("%v", err)
			}
			if err := stream.wait(r.ids...); err != nil {
				t.Fatalf("%v", err)
			}
		}
		r.judge(t)
	})
	t.Run("drain", func(t T) {
		x := s.start(t)
		stream, err := x.talkStream()
		if err != nil {
			t.Fatalf("%v", err)
		}
		r := newTalkRound(x, stream)
		for range min(64, x.inFlight) {
			r.add(r.request([]byte("hello")))
		}
		if err := r.send(); err != nil {
			t.Fatalf("%v", err)
		}
		if err := stream.wait(r.ids[0]); err != nil { // it has read them
			t.Fatalf("%v", err)
		}
		if err := x.drain(); err != nil {
			t.Fatalf("drain: %v", err)
		}
		if err := stream.wait(r.ids...); err != nil {
			t.Errorf("after Drain: %v", err)
		}
	})
}

// peers checks that peers may be introduced again, with and without a record, under all numbers.
func (s *suiteRun) peers(t T) {
	s.round(t, func(r *talkRound) {
		r.batch.Peers = nil
		for i, number := range []uint32{0, 1, pluginpb.MaxPeers - 1, 0} {
			n := Node(uint32(i), Endpoint(uint32(i)))
			p := talkPeer(n, Endpoint(uint32(i)))
			p.Number = number
			if i%2 == 1 {
				p.Record = nil
			}
			if i == 2 {
				p.Ip = []byte{0x20, 1, 0xd, 0xb8, 11: 0, 15: 1}
			}
			r.batch.Peers = append(r.batch.Peers, p)
			q := r.request([]byte("hello"))
			q.Peer = number
			r.add(q)
		}
	})
}

// talkRound is one batch of requests and what came back.
type talkRound struct {
	x           *session
	stream      *talkStream
	batch       *pluginpb.TalkRequests
	ids         []uint64
	mustBeEmpty []uint64
}

func newTalkRound(x *session, stream *talkStream) *talkRound {
	peer := talkPeer(Node(1, Endpoint(1)), Endpoint(1))
	return &talkRound{x: x, stream: stream, batch: &pluginpb.TalkRequests{Peers: []*pluginpb.TalkPeer{peer}}}
}

func (r *talkRound) request(payload []byte) *pluginpb.TalkRequest {
	id := r.stream.nextID()<<20 | 12_345 // as sparse as a host may choose them
	return &pluginpb.TalkRequest{Id: id, Payload: payload, TimeoutUs: uint32(answerTime / time.Microsecond)}
}

func (r *talkRound) add(q *pluginpb.TalkRequest) {
	r.batch.Requests = append(r.batch.Requests, q)
	r.ids = append(r.ids, q.Id)
}

// send sends what was added. Peers are introduced with the first batch.
func (r *talkRound) send() error {
	err := r.stream.send(r.batch)
	r.batch = &pluginpb.TalkRequests{}
	return err
}

// round starts the plugin, sends it one batch and judges the answers.
func (s *suiteRun) round(t T, fill func(*talkRound)) {
	t.Helper()
	x := s.start(t)
	stream, err := x.talkStream()
	if err != nil {
		t.Fatalf("%v", err)
	}
	r := newTalkRound(x, stream)
	fill(r)
	if err := r.send(); err != nil {
		t.Fatalf("%v", err)
	}
	if err := stream.wait(r.ids...); err != nil {
		t.Fatalf("%v", err)
	}
	r.judge(t)
}

// quiet is how long after the last answer nothing more may come.
const quiet = 100 * time.Millisecond

// judge looks at everything that came back, after one more request, whose answer comes behind those that were sent twice.
func (r *talkRound) judge(t T) {
	t.Helper()
	last := r.request([]byte("the last"))
	r.add(last)
	if err := r.send(); err != nil {
		t.Fatalf("%v", err)
	}
	if err := r.stream.wait(r.ids...); err != nil {
		t.Fatalf("%v", err)
	}
	timer := time.NewTimer(quiet)
	defer timer.Stop()
	<-timer.C
	asked := make(map[uint64]bool, len(r.ids))
	for _, id := range r.ids {
		asked[id] = true
	}
	r.stream.mu.Lock()
	defer r.stream.mu.Unlock()
	for id, responses := range r.stream.responses {
		switch {
		case !asked[id]:
			t.Errorf("a response with the id %d, which no request has", id)
		case len(responses) > 1:
			t.Errorf("%d responses to request %d; one is owed", len(responses), id)
		}
		for _, a := range responses {
			if len(a.GetPayload()) > maxResponse {
				t.Errorf("a response of %d bytes; %d are the most", len(a.GetPayload()), maxResponse)
			}
		}
	}
	for _, id := range r.mustBeEmpty {
		if a := r.stream.responses[id]; len(a) > 0 && len(a[0].GetPayload()) > 0 {
			t.Errorf("a payload in the response to a protocol that it does not speak")
		}
	}
	if r.stream.err != nil {
		t.Errorf("the plugin ended its stream: %v", r.stream.err)
	}
}

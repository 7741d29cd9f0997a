package link

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/discv5/host/core"
	"github.com/discv5/host/sdk/pluginpb"
)

func TestTalkCarriesRequestsAndResponses(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		tt := openTalk(t, TalkConfig{})
		key := newKey(t)
		r := request(7, "question")
		r.Node = testNode(t, key, 3)
		p := tt.ask(r)
		m := tt.received()
		if len(m.Peers) != 1 || len(m.Requests) != 1 {
			t.Fatalf("plugin got %v", m)
		}
		peer, q := m.Peers[0], m.Requests[0]
		if [32]byte(peer.NodeId) != r.ID || string(peer.Ip) != string(r.Addr.Addr().AsSlice()) || peer.Port != uint32(r.Addr.Port()) {
			t.Errorf("peer is %v", peer)
		}
		if string(peer.Record) != string(recordOf(r.Node)) || len(peer.Record) == 0 {
			t.Errorf("record is %x", peer.Record)
		}
		if q.Peer != peer.Number || q.Protocol != 1 || string(q.Payload) != "question" || q.TimeoutUs != 300_000 {
			t.Errorf("request is %v", q)
		}
		tt.peers.wantNone(t, p)
		tt.respond("answer", q.Id)
		tt.peers.wantAnswer(t, p, "answer")
		if s := tt.Stats(); s.Answered != 1 || s.InFlight != 0 || s.Empty() != 0 {
			t.Errorf("stats are %+v", s)
		}
	})
}

func TestTalkIntroducesPeersOnceAndWhenTheirRecordChanges(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		tt := openTalk(t, TalkConfig{})
		key := newKey(t)
		r := request(1, "")
		introduced := func(why string, want int) {
			t.Helper()
			tt.ask(r)
			if m := tt.received(); len(m.Peers) != want || len(m.Requests) != 1 || m.Requests[0].Peer != 0 {
				t.Errorf("%s: plugin got %v", why, m)
			}
		}
		introduced("the first request", 1)
		introduced("the second one", 0)
		r.Node = testNode(t, key, 1)
		introduced("one with a record", 1)
		introduced("the same record", 0)
		r.Node = testNode(t, key, 2)
		introduced("a newer record", 1)
	})
}

func TestTalkGivesUpAtTheDeadline(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		tt := openTalk(t, TalkConfig{Deadline: 200 * time.Millisecond})
		start := time.Now()
		p := tt.ask(request(1, ""))
		id := tt.received().Requests[0].Id
		time.Sleep(199 * time.Millisecond)
		synctest.Wait()
		tt.peers.wantNone(t, p)
		time.Sleep(time.Millisecond)
		m := tt.received()
		tt.peers.wantAnswer(t, p, "")
		if took := tt.peers.at[p].Sub(start); took != 200*time.Millisecond {
			t.Errorf("answered empty after %v", took)
		}
		if !slices.Equal(m.Cancelled, []uint64{id}) {
			t.Errorf("cancelled %v, want %d", m.Cancelled, id)
		}
		if s := tt.Stats(); s.Late != 1 || s.InFlight != 1 {
			t.Errorf("the plugin still owes the response: %+v", s)
		}
		tt.respond("late", id)
		tt.peers.wantAnswer(t, p, "")
		if s := tt.Stats(); s.LateAnswers != 1 || s.InFlight != 0 || s.Answered != 0 {
			t.Errorf("stats are %+v", s)
		}
	})
}

func TestTalkLeavesCoresDeadlineToCore(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		tt := openTalk(t, TalkConfig{Deadline: time.Second})
		r := request(1, "")
		r.Deadline = time.Now().Add(100 * time.Millisecond)
		p := tt.ask(r)
		id := tt.received().Requests[0].Id
		time.Sleep(100 * time.Millisecond)
		if m := tt.received(); !slices.Equal(m.Cancelled, []uint64{id}) {
			t.Errorf("cancelled %v", m.Cancelled)
		}
		tt.peers.wantNone(t, p)
		r.Deadline = time.Now()
		tt.wantShed(r, ShedLate)
	})
}

func TestTalkDropsStrayResponses(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		tt := openTalk(t, TalkConfig{})
		p := tt.ask(request(1, ""))
		id := tt.received().Requests[0].Id
		tt.respond("x", 0, id+1, id+1<<slotBits, 1<<63, id&^(1<<slotBits-1))
		tt.peers.wantNone(t, p)
		tt.respond("yes", id, id)
		tt.respond("no", id)
		tt.peers.wantAnswer(t, p, "yes")
		if s := tt.Stats(); s.Unknown != 5 || s.Repeated != 2 || s.Answered != 1 || s.InFlight != 0 {
			t.Errorf("stats are %+v", s)
		}
		q := tt.ask(request(1, ""))
		tt.respond("no", id) // the slot has another request now
		tt.peers.wantNone(t, q)
	})
}

func TestTalkAnswersEmptyForWhatIsNoAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		tt := openTalk(t, TalkConfig{MaxResponse: 100})
		var ids []uint64
		var all []*core.PendingTalk
		for range 3 {
			all = append(all, tt.ask(request(1, "")))
		}
		for _, q := range tt.received().Requests {
			ids = append(ids, q.Id)
		}
		tt.respond(strings.Repeat("x", 100), ids[0])
		tt.respond(strings.Repeat("x", 70_000), ids[1])
		tt.out <- &pluginpb.TalkResponses{Responses: []*pluginpb.TalkResponse{{Id: ids[2], Payload: []byte("half"), Error: "bad\x00\x1b"}}}
		synctest.Wait()
		tt.peers.wantAnswer(t, all[0], strings.Repeat("x", 100))
		tt.peers.wantAnswer(t, all[1], "")
		tt.peers.wantAnswer(t, all[2], "")
		if s := tt.Stats(); s.TooLarge != 1 || s.Failed != 1 || s.Answered != 1 || s.Empty() != 2 {
			t.Errorf("stats are %+v", s)
		}
	})
}

func TestTalkKeepsItsLimits(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		tt := openTalk(t, TalkConfig{MaxInFlight: 2, MaxPerPeer: 3, MaxQueue: 2})
		var all []*core.PendingTalk
		for i := range 3 {
			all = append(all, tt.ask(request(1, string(rune('a'+i)))))
		}
		tt.wantShed(request(1, ""), ShedPerPeer)
		all = append(all, tt.ask(request(2, "d")))
		tt.wantShed(request(3, ""), ShedQueue)
		m := tt.received()
		if len(m.Requests) != 2 {
			t.Fatalf("%d requests are on the stream, the limit is 2", len(m.Requests))
		}
		tt.respond("1", m.Requests[1].Id)
		next := tt.received()
		if len(next.Requests) != 1 || string(next.Requests[0].Payload) != "c" {
			t.Fatalf("then came %v", next)
		}
		tt.respond("2", m.Requests[0].Id, next.Requests[0].Id)
		last := tt.received()
		if len(last.Requests) != 1 || string(last.Requests[0].Payload) != "d" {
			t.Fatalf("then came %v", last)
		}
		tt.respond("3", last.Requests[0].Id)
		for i, want := range []string{"2", "1", "2", "3"} {
			tt.peers.wantAnswer(t, all[i], want)
		}
		r := request(1, "")
		r.Protocol = "c"
		tt.wantShed(r, ShedDown)
	})
}

func TestTalkTellsHowLongAQueuedRequestHas(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		tt := openTalk(t, TalkConfig{MaxInFlight: 1})
		tt.ask(request(1, ""))
		id := tt.received().Requests[0].Id
		tt.ask(request(1, ""))
		time.Sleep(100 * time.Millisecond)
		tt.respond("", id)
		if us := tt.received().Requests[0].TimeoutUs; us != 200_000 {
			t.Errorf("the plugin is told %d µs, left are 200,000", us)
		}
	})
}

func TestTalkStopsAskingAPluginThatAnswersNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		tt := openTalk(t, TalkConfig{MaxInFlight: 2, MaxQueue: 10, Deadline: 100 * time.Millisecond})
		for range 5 {
			tt.ask(request(1, ""))
			tt.ask(request(1, ""))
			time.Sleep(90 * time.Millisecond)
		}
		synctest.Wait()
		if s := tt.Stats(); s.Breaker != BreakerOpen || s.Tripped != 1 || s.Queued != 0 {
			t.Fatalf("breaker is %v after three deadlines of silence: %+v", s.Breaker, s)
		}
		tt.wantShed(request(1, ""), ShedBreaker)
		time.Sleep(breakerPause)
		tt.wantShed(request(1, ""), ShedBreaker) // no credit to try with
		ids := tt.received().Requests
		tt.respond("late", ids[0].Id, ids[1].Id)
		p := tt.ask(request(1, "probe"))
		if s := tt.Stats(); s.Breaker != BreakerHalfOpen {
			t.Fatalf("breaker is %v while a request tries", s.Breaker)
		}
		tt.wantShed(request(1, ""), ShedBreaker)
		time.Sleep(100 * time.Millisecond) // it fails
		synctest.Wait()
		tt.peers.wantAnswer(t, p, "")
		tt.wantShed(request(1, ""), ShedBreaker)
		time.Sleep(breakerPause)
		p = tt.ask(request(1, "probe"))
		m := tt.received()
		tt.respond("back", m.Requests[len(m.Requests)-1].Id)
		tt.peers.wantAnswer(t, p, "back")
		tt.ask(request(1, ""))
		if s := tt.Stats(); s.Breaker != BreakerClosed {
			t.Errorf("breaker is %v after an answer", s.Breaker)
		}
	})
}

// No request can find out whether a plugin that owes all its responses answers again.
func TestTalkIsStarved(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		tt := openTalk(t, TalkConfig{MaxInFlight: 2, Deadline: 100 * time.Millisecond})
		want := func(want bool) {
			t.Helper()
			synctest.Wait()
			if silent, starved := tt.Starved(); starved != want || starved && silent < starvation {
				t.Errorf("starved: %v, after %v", starved, silent)
			}
		}
		time.Sleep(time.Minute)
		want(false) // it owes nothing
		tt.ask(request(1, ""))
		time.Sleep(time.Minute)
		want(false) // a credit is left
		tt.ask(request(1, ""))
		tt.respond("unknown", 1<<40)
		time.Sleep(starvation - time.Millisecond)
		want(false)
		time.Sleep(2 * time.Millisecond)
		want(true)
		tt.respond("", tt.received().Requests[0].Id)
		want(false)
		tt.ask(request(1, ""))
		time.Sleep(starvation + time.Second)
		want(true)
		tt.Close()
		want(false)
	})
}

func TestTalkDoesNotTripWhileAnythingIsAnswered(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		tt := openTalk(t, TalkConfig{MaxInFlight: 2, MaxPerPeer: 100, Deadline: 100 * time.Millisecond})
		tt.ask(request(1, "hangs"))
		for range 40 {
			tt.ask(request(1, "works"))
			time.Sleep(50 * time.Millisecond)
			for _, q := range tt.received().Requests {
				if string(q.Payload) == "works" {
					tt.respond("", q.Id)
				}
			}
		}
		if s := tt.Stats(); s.Tripped != 0 || s.Answered < 30 {
			t.Errorf("stats are %+v", s)
		}
	})
}

func TestTalkDrains(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		tt := openTalk(t, TalkConfig{MaxInFlight: 1})
		first, second := tt.ask(request(1, "")), tt.ask(request(1, ""))
		drained := make(chan error, 1)
		go func() { drained <- tt.Drain(context.Background()) }()
		synctest.Wait()
		tt.wantShed(request(2, ""), ShedDraining)
		tt.respond("1", tt.received().Requests[0].Id)
		tt.peers.wantAnswer(t, first, "1")
		select {
		case <-drained:
			t.Fatal("drained with a request open")
		default:
		}
		tt.respond("2", tt.received().Requests[0].Id)
		tt.peers.wantAnswer(t, second, "2")
		if err := <-drained; err != nil {
			t.Error(err)
		}
		if err := tt.Drain(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func TestTalkDrainsOnlySoLong(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		tt := openTalk(t, TalkConfig{Deadline: time.Hour})
		p := tt.ask(request(1, ""))
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := tt.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("drained: %v", err)
		}
		tt.Close()
		tt.peers.wantAnswer(t, p, "")
		if err := tt.Err(); !errors.Is(err, ErrClosed) {
			t.Errorf("closed: %v", err)
		}
	})
}

// TestTalkAnswersEachRequestOnce plays a plugin that answers, in any order, some requests late, some twice and some never, and
// then dies.
func TestTalkAnswersEachRequestOnce(t *testing.T) {
	seed := rand.Uint64()
	inBubble(t, func(t *testing.T) {
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 1))
		tt := openTalk(t, TalkConfig{MaxInFlight: 50, MaxQueue: 30, MaxPerPeer: 20, Deadline: 100 * time.Millisecond})
		var mu sync.Mutex
		var all []*core.PendingTalk
		var ids []uint64
		for range 2000 {
			for range random.IntN(6) {
				p := new(core.PendingTalk)
				if _, done := tt.StartTalk(request(random.IntN(10), "x"), p); !done {
					mu.Lock()
					all = append(all, p)
					mu.Unlock()
				}
			}
			for _, q := range tt.received().Requests {
				if random.IntN(200) > 0 {
					ids = append(ids, q.Id)
				}
			}
			for len(ids) > 0 && random.IntN(7) > 1 {
				i := max(random.IntN(len(ids)), random.IntN(len(ids)))
				tt.respond("y", ids[i]) // the newest more often: some become late
				if random.IntN(10) > 0 {
					ids = slices.Delete(ids, i, i+1)
				}
			}
			time.Sleep(time.Duration(random.IntN(5)) * time.Millisecond)
			tt.mu.Lock()
			checkInvariants(t, tt.Talk)
			tt.mu.Unlock()
		}
		tt.end <- nil
		synctest.Wait()
		for _, p := range all {
			if _, ok := tt.peers.got(t, p); !ok {
				t.Fatal("a request has no answer")
			}
		}
		if s := tt.Stats(); s.Answered == 0 || s.Late == 0 || s.LateAnswers == 0 || s.Repeated == 0 || s.Shed[ShedQueue]+s.Shed[ShedPerPeer] == 0 {
			t.Errorf("not everything happened: %+v", s)
		}
	})
}

// checkInvariants compares the counts of a Talk with what they count.
func checkInvariants(t *testing.T, talk *Talk) {
	t.Helper()
	var alive, queued, sent int
	open := make(map[*peer]int)
	onStream := make(map[*peer]int)
	for i := range talk.slots.all {
		s := &talk.slots.all[i]
		if s.state == slotFree {
			continue
		}
		open[s.peer]++
		if s.state == slotQueued {
			queued++
		} else {
			sent++
			onStream[s.peer]++
		}
		if s.state != slotGivenUp {
			alive++
		}
	}
	if alive != talk.slots.alive || queued != talk.slots.queued || sent != talk.slots.sent || sent > talk.cfg.MaxInFlight {
		t.Fatalf("counted %d alive, %d queued, %d sent; kept are %d, %d, %d", alive, queued, sent, talk.slots.alive, talk.slots.queued, talk.slots.sent)
	}
	for _, p := range talk.peers.peers {
		if p.open != open[p] || p.sent != onStream[p] {
			t.Fatalf("a peer has %d open and %d on the stream; kept are %d and %d", open[p], onStream[p], p.open, p.sent)
		}
	}
}

func TestTalkTakesNumbersFromIdlePeers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		tt := openTalk(t, TalkConfig{MaxInFlight: 4096})
		busy := tt.ask(request(0, ""))
		m := tt.received()
		id, number := m.Requests[0].Id, m.Peers[0].Number
		names := map[uint32]string{number: string(m.Peers[0].NodeId)}
		for i := 1; i < maxPeers+500; i++ {
			r := request(i, "")
			tt.ask(r)
			m := tt.received()
			for _, p := range m.Peers {
				if p.Number >= maxPeers || p.Number == number {
					t.Fatalf("peer %d has number %d", i, p.Number)
				}
				names[p.Number] = string(p.NodeId)
			}
			if names[m.Requests[0].Peer] != string(r.ID[:]) {
				t.Fatalf("request %d goes by another peer's number", i)
			}
			tt.respond("", m.Requests[0].Id)
		}
		tt.mu.Lock()
		if n := len(tt.Talk.peers.peers); n != maxPeers {
			t.Errorf("%d peers are remembered", n)
		}
		tt.mu.Unlock()
		tt.respond("yes", id)
		tt.peers.wantAnswer(t, busy, "yes")
	})
}

package link

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/discv5/host/core"
	"github.com/discv5/host/sdk/pluginpb"
	"google.golang.org/grpc"
)

// slowEcho answers each request with its name, after a while.
func slowEcho(name string, after time.Duration) func(grpc.BidiStreamingServer[pluginpb.TalkRequests, pluginpb.TalkResponses]) error {
	return func(s grpc.BidiStreamingServer[pluginpb.TalkRequests, pluginpb.TalkResponses]) error {
		for {
			m, err := s.Recv()
			if err != nil {
				return err
			}
			out := &pluginpb.TalkResponses{}
			for _, q := range m.Requests {
				out.Responses = append(out.Responses, &pluginpb.TalkResponse{Id: q.Id, Payload: []byte(name)})
			}
			time.Sleep(after)
			if err := s.Send(out); err != nil {
				return err
			}
		}
	}
}

func TestRouteReplacesAPluginWithoutLosingARequest(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		peers := newPeerLog()
		route := NewRoute(TalkConfig{Answer: peers.answer})
		cfg := TalkConfig{MaxInFlight: 8, MaxPerPeer: 1000}
		old := newTalk(t, slowEcho("old", 2*time.Millisecond), peers, cfg)
		route.Switch(old)
		var all []*core.PendingTalk
		ask := func(n int) {
			for range n {
				p := new(core.PendingTalk)
				if _, done := route.StartTalk(request(1, ""), p); done {
					t.Fatal("shed")
				}
				all = append(all, p)
				time.Sleep(500 * time.Microsecond)
			}
		}
		ask(100)
		young := newTalk(t, slowEcho("new", time.Millisecond), peers, cfg)
		route.Switch(young)
		drained := make(chan error, 1)
		go func() {
			drained <- old.Drain(context.Background())
			old.Close()
		}()
		ask(100)
		time.Sleep(time.Second)
		if err := <-drained; err != nil {
			t.Error(err)
		}
		counts := make(map[string]int)
		for _, p := range all {
			answer, _ := peers.got(t, p)
			counts[answer]++
		}
		if counts["old"] != 100 || counts["new"] != 100 {
			t.Errorf("answers are %v", counts)
		}
	})
}

func TestRouteHoldsRequestsForAPluginThatComesBack(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		peers := newPeerLog()
		route := NewRoute(TalkConfig{Answer: peers.answer, MaxQueue: 3, Deadline: 300 * time.Millisecond})
		ask := func() (*core.PendingTalk, bool) {
			p := new(core.PendingTalk)
			_, done := route.StartTalk(request(1, "x"), p)
			return p, done
		}
		if _, done := ask(); !done {
			t.Error("a request waits for a plugin that nobody expects")
		}
		route.Hold()
		early, _ := ask()
		time.Sleep(250 * time.Millisecond)
		late1, _ := ask()
		late2, _ := ask()
		if _, done := ask(); !done {
			t.Error("more requests wait than may")
		}
		time.Sleep(60 * time.Millisecond)
		synctest.Wait()
		peers.wantAnswer(t, early, "")
		peers.wantNone(t, late1)
		route.Switch(newTalk(t, slowEcho("new", 0), peers, TalkConfig{}))
		synctest.Wait()
		peers.wantAnswer(t, late1, "new")
		peers.wantAnswer(t, late2, "new")
		route.Hold()
		last, _ := ask()
		route.Switch(nil)
		peers.wantAnswer(t, last, "")
		if s := route.Stats(); s.Shed[ShedDown] != 2 || s.Late != 2 || s.Queued != 0 {
			t.Errorf("stats are %+v", s)
		}
	})
}

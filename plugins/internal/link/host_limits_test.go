package link

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/discv5/host/core"
	"github.com/discv5/host/sdk/pluginpb"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"
)

func TestHostKeepsCallsWithinTheirLimits(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		th := openHost(t, HostConfig{MaxCalls: 2})
		th.node.hang = true
		to := &pluginpb.Target{Record: recordOf(th.node.known[0])}
		quick := pingCall(to)
		quick.TimeoutMs = 100
		first, second := th.send(quick), th.send(lookupCall(&pluginpb.LookupCall{}))
		th.wantNoReply()
		th.wantError(pingCall(to), codeExhausted)
		th.wantError(talkCall(to, ""), codeExhausted)
		th.call(selfCall()) // waits for nothing
		time.Sleep(100 * time.Millisecond)
		if r := th.reply(first); r.Error.GetCode() != codeTimeout {
			t.Errorf("after its timeout: %v", r)
		}
		time.Sleep(defaultCallTimeout)
		if r := th.reply(second); len(r.GetNodes().GetNodes()) != 3 {
			t.Errorf("what a lookup found by its deadline is %v", r)
		}
		if s := th.Stats(); s.Open != 0 {
			t.Errorf("stats are %+v", s)
		}
	})
}

func TestHostCancelsCalls(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		th := openHost(t, HostConfig{MaxCalls: 2})
		th.node.hang, th.node.keep = true, true
		to := &pluginpb.Target{Record: recordOf(th.node.known[0])}
		ping, talk := th.send(pingCall(to)), th.send(talkCall(to, ""))
		th.calls <- &pluginpb.HostCalls{Cancelled: []uint64{ping, talk, 99}}
		if r := th.reply(ping); r.Error.GetCode() != codeCancelled {
			t.Errorf("the ping is %v", r)
		}
		th.wantNoReply() // core still has the talk call: it counts
		th.send(pingCall(to))
		th.wantError(pingCall(to), codeExhausted)
		th.node.talks[0].Done(nil, core.ErrTimeout)
		if r := th.reply(talk); r.Error.GetCode() != codeCancelled {
			t.Errorf("the talk is %v", r)
		}
	})
}

func TestHostKeepsAnIdToItsCall(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		th := openHost(t, HostConfig{MaxCalls: 3})
		th.node.keep = true
		to := &pluginpb.Target{Record: recordOf(th.node.known[0])}
		for range 10 { // each with the same id
			th.next = 0
			th.send(talkCall(to, ""))
			th.calls <- &pluginpb.HostCalls{Calls: []*pluginpb.HostCall{{Id: 1, Call: talkCall(nil, "").Call}}}
		}
		synctest.Wait()
		if n := len(th.node.talks); n != 1 {
			t.Errorf("core has %d calls, of one id", n)
		}
		if s := th.Stats(); s.Open != 1 {
			t.Errorf("stats are %+v", s)
		}
	})
}

// TestHostReadsNoFurtherWhenRepliesAreNotTaken plays a plugin that calls and calls, and never reads.
func TestHostReadsNoFurtherWhenRepliesAreNotTaken(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		node := newFakeNode(t)
		for range 200 {
			node.known = append(node.known, node.self)
		}
		h := newHost(t, HostConfig{Rate: 1_000_000_000}, node, nil, func(s grpc.BidiStreamingServer[pluginpb.HostReplies, pluginpb.HostCalls]) error {
			m := &pluginpb.HostCalls{}
			for i := range 50 {
				c := sampleCall(200)
				c.Id = uint64(i + 1)
				m.Calls = append(m.Calls, c)
			}
			if err := s.Send(&pluginpb.HostCalls{Calls: []*pluginpb.HostCall{{Id: 1, Call: watchCall().Call}}}); err != nil {
				return err
			}
			for {
				if err := s.Send(m); err != nil {
					return err
				}
			}
		})
		synctest.Wait()
		if s := h.Stats(); s.Unsent < maxUnsentReplies || s.Unsent > 2*maxUnsentReplies {
			t.Errorf("%d bytes wait", s.Unsent)
		}
		for range 10 * watchBuffer { // nor does it take events
			select {
			case node.events <- core.Event{Type: core.NodeAdded, Node: node.self}:
			default:
			}
		}
		before := h.Stats()
		time.Sleep(time.Minute)
		if after := h.Stats(); after.Unsent != before.Unsent || after.Events > maxUnsentEvents {
			t.Errorf("then %+v, before %+v", after, before)
		}
		h.Close()
	})
}

func TestHostSlowsDownAPluginThatFloods(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		th := openHost(t, HostConfig{Rate: 1000})
		to := &pluginpb.Target{NodeId: make([]byte, 32), Ip: []byte{127, 0, 0, 1}, Port: 9}
		m := &pluginpb.HostCalls{}
		for range 100 {
			m.Calls = append(m.Calls, sendCall(to, "x"))
		}
		for range 100 {
			th.calls <- m
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := len(th.node.talks); n < 2450 || n > 2700 {
			t.Errorf("%d calls in two seconds, a thousand a second are allowed, and half as many more at first", n)
		}
	})
}

// What is in a message beside calls costs something too.
func TestHostSlowsDownAPluginThatFloodsWithoutCalls(t *testing.T) {
	unknown := protowire.AppendBytes(protowire.AppendTag(nil, 15, protowire.BytesType), make([]byte, 100*bytesPerUnit))
	for name, fill := range map[string]func(*pluginpb.HostCalls){
		"cancels": func(m *pluginpb.HostCalls) { m.Cancelled = make([]uint64, 100*cancelsPerUnit) },
		"bytes":   func(m *pluginpb.HostCalls) { m.ProtoReflect().SetUnknown(unknown) },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				th := openHost(t, HostConfig{Rate: 1000})
				to := &pluginpb.Target{NodeId: make([]byte, 32), Ip: []byte{127, 0, 0, 1}, Port: 9}
				m := &pluginpb.HostCalls{Calls: []*pluginpb.HostCall{sendCall(to, "x")}}
				fill(m)
				for range 200 {
					th.calls <- m
				}
				time.Sleep(2 * time.Second)
				synctest.Wait()
				if n := len(th.node.talks); n < 20 || n > 27 {
					t.Errorf("%d messages of 100 units in two seconds, a thousand a second are allowed, and half as many more at first", n)
				}
			})
		})
	}
}

func TestHostEnds(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(*testHost)
		want error
	}{
		"with the plugin": {func(th *testHost) { th.calls <- nil }, ErrFailed},
		"with Close":      {func(th *testHost) { th.Close() }, ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				th := openHost(t, HostConfig{})
				th.node.hang, th.node.keep = true, true
				to := &pluginpb.Target{Record: recordOf(th.node.known[0])}
				th.call(watchCall())
				for _, c := range []*pluginpb.HostCall{pingCall(to), lookupCall(&pluginpb.LookupCall{}), talkCall(to, "")} {
					c.TimeoutMs = 1 << 31
					th.send(c)
				}
				c.end(th)
				<-th.Done()
				if err := th.Err(); !errors.Is(err, c.want) {
					t.Errorf("ended: %v", err)
				}
				th.Close()
				th.node.talks[0].Done([]byte("too late"), nil)
				th.wantNoReply()
				if _, open := <-th.node.events; open {
					t.Error("the watch goes on")
				}
			})
		})
	}
}

func TestHostEndsWithGarbage(t *testing.T) {
	for _, garbage := range []string{"\xff", "\x0a\x05ab", "\x0a\x02\x0a\x05", "\x12\x01\xff"} {
		inBubble(t, func(t *testing.T) {
			conn := connectRaw(t, rawServer(pluginpb.HostService, "Link", func(s grpc.ServerStream) error {
				b := []byte(garbage)
				if err := s.SendMsg(&outgoing{&b}); err != nil {
					return err
				}
				<-s.Context().Done()
				return nil
			}))
			h, err := OpenHost(context.Background(), conn, HostConfig{Services: newFakeNode(t)})
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			synctest.Wait()
			if err := h.Err(); !errors.Is(err, ErrFailed) {
				t.Errorf("%q: %v", garbage, err)
			}
		})
	}
}

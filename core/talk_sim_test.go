package core

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/discv5/host/codec"
)

// handle registers a TALK protocol.
func (s *sim) handle(n *Node, protocol string, f TalkFunc) (remove func()) {
	s.t.Helper()
	remove, err := n.Handle(protocol, f)
	if err != nil {
		s.t.Fatalf("handle %q: %v", protocol, err)
	}
	return remove
}

func echo(_ context.Context, r TalkRequest) ([]byte, error) { return r.Payload, nil }

func TestSimTalk(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		a, b := s.node(quiet), s.node(quiet)
		ctx := context.Background()
		answer, err := a.Talk(ctx, b.Self(), "echo", []byte("hello"))
		if err != nil || answer == nil || len(answer) != 0 {
			t.Errorf("TALKREQ of an unknown protocol gave %q, %v; want an empty response", answer, err)
		}
		remove := s.handle(b, "echo", echo)
		if answer, err = a.Talk(ctx, b.Self(), "echo", []byte("hello")); err != nil || string(answer) != "hello" {
			t.Errorf("echo gave %q, %v", answer, err)
		}
		if answer, err = a.Talk(ctx, b.Self(), "echo", nil); err != nil || len(answer) != 0 {
			t.Errorf("empty echo gave %q, %v", answer, err)
		}
		_, err = b.Handle("echo", TalkFunc(echo))
		s.wantErr("second registration", err, ErrProtocolTaken)
		binary := "\x00\xff\x80"
		s.handle(b, binary, func(context.Context, TalkRequest) ([]byte, error) { return []byte("binary"), nil })
		if answer, err = a.Talk(ctx, b.Self(), binary, nil); err != nil || string(answer) != "binary" {
			t.Errorf("protocol of any bytes gave %q, %v", answer, err)
		}
		for _, other := range []string{"Echo", "echo\x00", "ech", ""} {
			if answer, err = a.Talk(ctx, b.Self(), other, []byte("hello")); err != nil || len(answer) != 0 {
				t.Errorf("protocol %q gave %q, %v; want an empty response", other, answer, err)
			}
		}
		remove()
		remove()
		if answer, err = a.Talk(ctx, b.Self(), "echo", []byte("hello")); err != nil || len(answer) != 0 {
			t.Errorf("a removed protocol gave %q, %v", answer, err)
		}
		s.handle(b, "echo", echo)
		remove() // of the first one, it must not hurt the second
		if answer, err = a.Talk(ctx, b.Self(), "echo", []byte("hello")); err != nil || string(answer) != "hello" {
			t.Errorf("a protocol registered anew gave %q, %v", answer, err)
		}
		if got := b.Stats().TalkUnknown; got != 6 {
			t.Errorf("%d requests of unknown protocols counted, want 6", got)
		}
	})
}

// The largest payloads pass; one byte more is an error at once, or an empty response.
func TestSimTalkSizes(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		a, b := s.node(quiet), s.node(quiet)
		s.handle(b, "echo", func(_ context.Context, r TalkRequest) ([]byte, error) { return []byte{1}, nil })
		s.handle(b, "more", func(_ context.Context, r TalkRequest) ([]byte, error) { return append(r.Payload, "123456"...), nil })
		talk := func(protocol string, size int) result[[]byte] {
			return background(func(ctx context.Context) ([]byte, error) { return a.Talk(ctx, b.Self(), protocol, make([]byte, size)) })()
		}
		s.ping(a, b.Self())
		if r := talk("echo", 1172); r.err != nil || len(r.value) != 1 {
			t.Errorf("request of 1172 bytes gave %x, %v", r.value, r.err)
		}
		before := a.Stats().PacketsSent
		r := talk("echo", 1173)
		s.wantErr("request of 1173 bytes", r.err, ErrTooLarge)
		if r.took != 0 || a.Stats().PacketsSent != before {
			t.Errorf("a request that is too large took %v", r.took)
		}
		_, err := a.TalkTo(context.Background(), b.ID(), b.LocalAddrs()[0], "echo", make([]byte, 1173))
		s.wantErr("request of 1173 bytes to an address", err, ErrTooLarge)
		s.wantErr("request of 1173 bytes without an answer", a.TalkSend(b.ID(), b.LocalAddrs()[0], "echo", make([]byte, 1173)), ErrTooLarge)
		if r := talk("more", 1171); r.err != nil || len(r.value) != 1177 {
			t.Errorf("response of 1177 bytes: got %d, %v", len(r.value), r.err)
		}
		if r := talk("more", 1172); r.err != nil || len(r.value) != 0 {
			t.Errorf("response of 1178 bytes: got %d, %v; want an empty one", len(r.value), r.err)
		}
	})
}

// Whatever the handler does, the peer has an answer within the deadline.
func TestSimTalkHandlerTrouble(t *testing.T) {
	handlers := map[string]TalkFunc{
		"fails":   func(context.Context, TalkRequest) ([]byte, error) { return []byte("x"), errors.New("no") },
		"panics":  func(context.Context, TalkRequest) ([]byte, error) { panic("no") },
		"is slow": func(context.Context, TalkRequest) ([]byte, error) { time.Sleep(time.Second); return []byte("x"), nil },
		"waits":   func(ctx context.Context, _ TalkRequest) ([]byte, error) { <-ctx.Done(); return []byte("x"), nil },
	}
	for name, f := range handlers {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T, s *sim) {
				a, b := s.node(quiet), s.node(quiet)
				s.handle(b, "p", f)
				s.ping(a, b.Self())
				start := time.Now()
				answer, err := a.Talk(context.Background(), b.Self(), "p", nil)
				took := time.Since(start)
				if name == "waits" && string(answer) == "x" {
					answer = nil // at the deadline itself either may be first
				}
				if err != nil || len(answer) != 0 || took > 350*time.Millisecond {
					t.Errorf("%q, %v after %v; want an empty response within the deadline", answer, err, took)
				}
				pass(2 * time.Second)
				if st := b.Stats(); name == "is slow" && (st.TalkTimeouts != 1 || st.TalkLate != 1) {
					t.Errorf("%d timeouts and %d late responses counted, want 1 each", st.TalkTimeouts, st.TalkLate)
				}
			})
		})
	}
}

// Requests beyond the limits are answered empty at once, and counted.
func TestSimTalkLimits(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		b := s.node(quiet, func(c *Config) { c.Talk = TalkLimits{InFlight: 3, PerPeer: 2, Deadline: 200 * time.Millisecond} })
		var running, most atomic.Int32
		s.handle(b, "p", func(ctx context.Context, _ TalkRequest) ([]byte, error) {
			if r := running.Add(1); r > most.Load() {
				most.Store(r)
			}
			defer running.Add(-1)
			time.Sleep(100 * time.Millisecond)
			return []byte("x"), nil
		})
		for _, asked := range []struct{ peers, each, served int }{{1, 4, 2}, {2, 2, 3}} {
			served := 0
			var waits []func() result[[]byte]
			for range asked.peers {
				a := s.node(quiet)
				s.ping(a, b.Self())
				for range asked.each {
					waits = append(waits, background(func(ctx context.Context) ([]byte, error) { return a.Talk(ctx, b.Self(), "p", nil) }))
				}
			}
			for _, wait := range waits {
				switch r := wait(); {
				case r.err != nil:
					t.Error("talk:", r.err)
				case len(r.value) > 0:
					served++
				case r.took > 50*time.Millisecond:
					t.Errorf("a request beyond the limit was answered after %v", r.took)
				}
			}
			if served != asked.served {
				t.Errorf("%d peers with %d requests each: %d were served, want %d", asked.peers, asked.each, served, asked.served)
			}
		}
		if most.Load() > 3 || b.Stats().TalkShed != 3 {
			t.Errorf("%d at a time, %d shed; want 3 and 3", most.Load(), b.Stats().TalkShed)
		}
	})
}

// A request to an address needs a session, or a record from somewhere.
func TestSimTalkToAddress(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		a, b := s.node(quiet), s.node(quiet)
		to := b.LocalAddrs()[0]
		ctx := context.Background()
		var got atomic.Int32
		s.handle(b, "p", func(_ context.Context, r TalkRequest) ([]byte, error) {
			got.Add(1)
			if r.Addr != a.LocalAddrs()[0] || r.ID != a.ID() || r.Node == nil || r.Protocol != "p" {
				return nil, errors.New("request is not as it was sent")
			}
			return r.Payload, nil
		})
		_, err := a.TalkTo(ctx, b.ID(), to, "p", []byte("x"))
		s.wantErr("talk to an unknown node", err, ErrNoRecord)
		s.wantErr("talk without an answer to an unknown node", a.TalkSend(b.ID(), to, "p", nil), ErrNoRecord)
		s.ping(a, b.Self())
		mapped := netip.AddrPortFrom(netip.AddrFrom16(to.Addr().As16()), to.Port())
		for _, addr := range []netip.AddrPort{to, mapped} {
			if answer, err := a.TalkTo(ctx, b.ID(), addr, "p", []byte("x")); err != nil || string(answer) != "x" {
				t.Errorf("talk to %v gave %q, %v", addr, answer, err)
			}
		}
		before := got.Load()
		if err := a.TalkSend(b.ID(), to, "p", []byte("x")); err != nil {
			t.Error("talk without an answer:", err)
		}
		pass(10 * time.Second)
		if got.Load() != before+1 {
			t.Error("the request without an answer did not arrive")
		}
		if st := a.Stats(); st.Timeouts[codec.TalkReqType] != 0 || st.Calls != 0 {
			t.Error("a request without an answer counts as a timeout")
		}
		_, err = a.TalkTo(ctx, a.ID(), a.LocalAddrs()[0], "p", nil)
		s.wantErr("talk to itself", err, ErrSelf)
		_, err = a.TalkTo(ctx, b.ID(), netip.AddrPort{}, "p", nil)
		s.wantErr("talk to no address", err, ErrNoAddress)
		_, err = a.TalkTo(ctx, b.ID(), addrPort("[2001:db9::1]:1"), "p", nil)
		s.wantErr("talk to the other family", err, ErrNoAddress)
	})
}

// Messages of later protocol versions go to whoever asked for them, and can be answered.
func TestSimUnknownMessageTypes(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, p := s.node(quiet), s.peer()
		to := n.LocalAddrs()[0]
		s.wantErr("message without a session", n.SendMessage(p.id(), p.addr, 0x07, nil), ErrNoSession)
		p.dial(n)
		p.send(to, append([]byte{0x07}, "nobody listens"...))
		p.silence(time.Second, "message of an unknown type")

		got := make(chan UnknownMessage, 8)
		n.HandleUnknown(func(m UnknownMessage) {
			got <- m
			if err := n.SendMessage(m.ID, m.Addr, m.Type+1, bytes.ToUpper(m.Body)); err != nil {
				t.Error("answer to an unknown message:", err)
			}
		})
		for _, kind := range []byte{0x07, 0x0a, 0xfe} {
			p.send(to, append([]byte{kind}, "some body"...))
			answer := p.want(codec.FlagMessage)
			if m := <-got; m.ID != p.id() || m.Addr != p.addr || m.Type != kind || string(m.Body) != "some body" || m.Node == nil {
				t.Errorf("handler got %+v for type %#x", m, kind)
			}
			if string(answer.message) != string([]byte{kind + 1})+"SOME BODY" {
				t.Errorf("the answer is %q", answer.message)
			}
		}
		for kind := range byte(UnknownMessageType) {
			if n.SendMessage(p.id(), p.addr, kind, nil) == nil {
				t.Errorf("a message of type %#x could be sent", kind)
			}
		}
		if err := n.SendMessage(p.id(), p.addr, 0x07, make([]byte, codec.MaxMessageSize-1)); err != nil {
			t.Error("largest message:", err)
		}
		if got := p.want(codec.FlagMessage); len(got.raw) != codec.MaxPacketSize {
			t.Errorf("the largest message came in a packet of %d bytes", len(got.raw))
		}
		s.wantErr("message too large", n.SendMessage(p.id(), p.addr, 0x07, make([]byte, codec.MaxMessageSize)), ErrTooLarge)
		mapped := netip.AddrPortFrom(netip.AddrFrom16(p.addr.Addr().As16()), p.addr.Port())
		if err := n.SendMessage(p.id(), mapped, 0x07, nil); err != nil {
			t.Error("message to an IPv4 address in IPv6 form:", err)
		}
		p.want(codec.FlagMessage)
		n.HandleUnknown(nil)
		p.send(to, []byte{0x07})
		p.silence(time.Second, "after the handler was taken away")
		if got := n.Stats(); got.MessagesReceived[UnknownMessageType] != 5 || got.InvalidMessages != 0 {
			t.Errorf("%d unknown messages and %d invalid ones counted, want 5 and none", got.MessagesReceived[UnknownMessageType], got.InvalidMessages)
		}
	})
}

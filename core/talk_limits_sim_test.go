package core

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/discv5/host/codec"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// A handler of unknown messages that panics or hangs is its own trouble.
func TestSimUnknownHandlerTrouble(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n := s.node(quiet, func(c *Config) { c.Talk = TalkLimits{InFlight: 8, Deadline: 200 * time.Millisecond} })
		s.handle(n, "echo", echo)
		a := s.node(quiet)
		s.ping(a, n.Self())
		to := n.LocalAddrs()[0]
		send := func(count int) {
			for range count {
				if err := a.SendMessage(n.ID(), to, 0x07, nil); err != nil {
					t.Error(err)
				}
			}
			pass(50 * time.Millisecond)
		}
		n.HandleUnknown(func(UnknownMessage) { panic("no") })
		send(20)
		if got := n.Stats(); got.TalkFailed == 0 || got.TalkFailed+got.TalkShed != 20 {
			t.Errorf("%d panics and %d shed, want 20 together", got.TalkFailed, got.TalkShed)
		}
		release := make(chan struct{})
		defer close(release)
		n.HandleUnknown(func(UnknownMessage) { <-release })
		for round := range 3 {
			send(20)
			if r := talking(a, n, "echo", "x")(); r.err != nil || string(r.value) != "x" {
				t.Errorf("round %d: a protocol was not served beside: %q, %v", round, r.value, r.err)
			}
			pass(time.Second)
		}
		n.turn(func(time.Time) {
			if n.talk.unknown.running != 6 || n.talk.inFlight != 0 || len(n.talk.perPeer) != 0 {
				t.Errorf("%d goroutines hang and %d places are taken, want 6 and none", n.talk.unknown.running, n.talk.inFlight)
			}
		})
	})
}

// Requests that nobody waits for count towards the bound of calls while a handshake keeps them.
func TestSimTalkSendIsBounded(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		silent := s.peer()
		n := s.node(quiet, boot(silent.node))
		const room = 3
		n.turn(func(now time.Time) {
			for i := range maxCalls - room {
				id, _ := codec.NewRequestID([]byte{byte(i), byte(i >> 8)})
				n.calls[id] = &call{done: func(time.Time, reply) {}}
			}
		})
		send := func() error { return n.TalkSend(silent.id(), silent.addr, "x", nil) }
		for range 2 {
			for i := range room {
				if err := send(); err != nil {
					t.Errorf("request %d: %v", i, err)
				}
			}
			s.wantErr("one too many", send(), ErrBusy)
			_, err := n.Ping(context.Background(), silent.node)
			s.wantErr("a call that is too many", err, ErrBusy)
			if n.Stats().Calls != maxCalls {
				t.Errorf("%d calls are told, want %d", n.Stats().Calls, maxCalls)
			}
			pass(4 * time.Second)
		}
	})
}

// A ban of a range ends sessions and calls in it whatever zone their addresses have, and says so with the range.
func TestSimBanEvents(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		linkLocal := signed(t, newKey(t), 1, netip.AddrPort{})
		n := s.node(quiet, boot(linkLocal), s.at("198.18.0.1:1", "[2001:db9::1]:1"))
		events, err := n.Events(64)
		if err != nil {
			t.Fatal(err)
		}
		defer events.Close()
		downs := func() (why []string) {
			for len(events.C) > 0 {
				if e := <-events.C; e.Type == SessionDown {
					why = append(why, e.Detail)
				}
			}
			return why
		}
		wait := background(func(ctx context.Context) ([]byte, error) {
			return n.TalkTo(ctx, linkLocal.ID(), addrPort("[fe80::9%eth0]:9"), "x", nil)
		})
		pass(100 * time.Millisecond)
		prefix := netip.MustParsePrefix("fe80::1/10")
		s.ban(n, Ban{Prefix: prefix, Reason: "r"})
		if r := wait(); r.took != 100*time.Millisecond {
			t.Errorf("call into the range ended with %v after %v", r.err, r.took)
		} else {
			s.wantErr("call into the range", r.err, ErrBanned)
		}
		n.Unban(Ban{Prefix: prefix})
		for _, want := range []EventType{Banned, Unbanned} {
			if e := <-events.C; e.Type != want || e.Prefix != prefix.Masked() || e.ID != (enode.ID{}) {
				t.Errorf("event %v of %v %v, want %v of %v", e.Type, e.ID, e.Prefix, want, prefix.Masked())
			}
		}
		byID, byRange, ended := s.peer(), s.peer(), s.peer()
		for _, p := range []*peer{byID, byRange, ended} {
			p.dial(n)
		}
		s.ban(n, bansOn(byID)["id"])
		s.ban(n, bansOn(byRange)["prefix"])
		if got := downs(); len(got) != 2 || got[0] != "banned" || got[1] != "banned" {
			t.Errorf("ends of sessions told after two bans: %q", got)
		}
		n.EndSession(ended.id(), ended.addr)
		n.EndSession(ended.id(), ended.addr)
		if got := downs(); len(got) != 1 || got[0] != "ended" {
			t.Errorf("ends of sessions told: %q", got)
		}
	})
}

// Bans that are read from the store end sessions too.
func TestSimStoredBanEndsSession(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		store, p := newMemStore(), s.peer()
		store.before = slow(time.Second)
		key := newKey(t)
		ban := Ban{ID: p.id(), Until: time.Now().Add(time.Hour)}
		n := s.node(quiet, func(c *Config) { c.PrivateKey, c.Store = key, store })
		store.change(func() {
			store.entries[string(n.banKey(ban))] = Entry{Key: n.banKey(ban), Value: encodeStoredBan(ban), Version: 1, Expires: ban.Until}
		})
		p.dial(n)
		if len(n.Sessions()) != 1 {
			t.Fatal("no session before the ban is known")
		}
		pass(5 * time.Second)
		if len(n.Bans()) != 1 || len(n.Sessions()) != 0 {
			t.Errorf("%d bans, %d sessions", len(n.Bans()), len(n.Sessions()))
		}
	})
}

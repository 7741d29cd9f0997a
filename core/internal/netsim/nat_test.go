package netsim_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/discv5/host/core/internal/netsim"
)

var (
	public  = netip.MustParseAddr("45.0.0.1")
	private = netip.MustParseAddrPort("192.168.1.2:30303")
	mapped  = netip.AddrPortFrom(public, 30303)
)

// Who may answer a host that has sent to B alone: B, another port of B's host, a stranger.
func TestNATKinds(t *testing.T) {
	addrB2 := netip.AddrPortFrom(addrB.Addr(), 9001)
	for _, test := range []struct {
		name                  string
		kind                  netsim.NATKind
		otherPort, otherHost  bool
		samePortForEverywhere bool
	}{
		{"full cone", netsim.FullCone, true, true, true},
		{"address restricted", netsim.AddressRestricted, true, false, true},
		{"port restricted", netsim.PortRestricted, false, false, true},
		{"symmetric", netsim.Symmetric, false, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			simulate(t, netsim.Config{Latency: time.Millisecond}, func(w *world) {
				b, b2, c := w.Listen(addrB), w.Listen(addrB2), w.Listen(addrC)
				nat := w.NAT(public, test.kind)
				host := nat.Listen(private)
				nat.SetTimeout(time.Hour)

				w.send(b, mapped, "unasked")
				w.wantSilence(host)
				w.send(host, addrB, "hello")
				w.wantRead(b, mapped, "hello")
				w.send(b, mapped, "answer")
				w.wantRead(host, addrB, "answer")
				for _, in := range []struct {
					from *netsim.Socket
					addr netip.AddrPort
					pass bool
				}{{b2, addrB2, test.otherPort}, {c, addrC, test.otherHost}} {
					w.send(in.from, mapped, "me too")
					if in.pass {
						w.wantRead(host, in.addr, "me too")
					} else {
						w.wantSilence(host)
					}
				}

				w.send(host, addrC, "hello")
				at, ok := nat.Mapped(private, addrC)
				if !ok || at.Addr() != public || (at == mapped) != test.samePortForEverywhere {
					w.Fatalf("mapped to %v, %v", at, ok)
				}
				w.wantRead(c, at, "hello")
				w.send(c, at, "answer")
				w.wantRead(host, addrC, "answer")
			})
		})
	}
}

func TestNATForgets(t *testing.T) {
	simulate(t, netsim.Config{}, func(w *world) {
		b, c := w.Listen(addrB), w.Listen(addrC)
		nat := w.NAT(public, netsim.PortRestricted)
		host := nat.Listen(private)
		w.send(host, addrB, "hello")
		w.wantRead(b, mapped, "hello")

		time.Sleep(netsim.NATTimeout / 2)
		w.send(host, addrC, "keeps the mapping, not B's way in")
		w.wantRead(c, mapped, "keeps the mapping, not B's way in")
		w.send(b, mapped, "in time") // and does not prolong it
		w.wantRead(host, addrB, "in time")

		time.Sleep(netsim.NATTimeout / 2)
		w.send(b, mapped, "late")
		w.send(c, mapped, "in time")
		w.wantRead(host, addrC, "in time")
		w.wantSilence(host) // longer than the timeout
		w.send(c, mapped, "late")
		w.wantSilence(host)
		if at, ok := nat.Mapped(private, addrC); ok {
			w.Errorf("still mapped to %v", at)
		}
		if s := w.Stats(); s.Filtered != 2 {
			w.Errorf("%+v", s)
		}
		w.send(host, addrB, "hello again")
		w.wantRead(b, mapped, "hello again")
	})
}

func TestHostsBehindNATs(t *testing.T) {
	simulate(t, netsim.Config{}, func(w *world) {
		nat, far := w.NAT(public, netsim.PortRestricted), w.NAT(addrC.Addr(), netsim.PortRestricted)
		host, other := nat.Listen(private), far.Listen(private) // the same private address
		sibling := nat.Listen(netip.MustParseAddrPort("192.168.1.3:30303"))
		b := w.Listen(addrB)

		// Siblings reach each other, and share the public address with different ports.
		siblingAt := netip.MustParseAddrPort("192.168.1.3:30303")
		w.send(host, siblingAt, "over the LAN")
		w.wantRead(sibling, private, "over the LAN")
		w.send(host, addrB, "one")
		w.wantRead(b, mapped, "one")
		w.send(sibling, addrB, "two")
		at, ok := nat.Mapped(siblingAt, addrB)
		if !ok || at == mapped {
			w.Fatalf("mapped to %v, %v", at, ok)
		}
		w.wantRead(b, at, "two")

		// A private address means nothing outside.
		w.send(b, private, "nobody")
		w.send(other, siblingAt, "nobody")
		if s := w.Stats(); s.NoRoute != 2 {
			w.Errorf("%+v", s)
		}

		// Two NATs are open to each other once both sides have sent.
		otherAt := netip.AddrPortFrom(addrC.Addr(), private.Port())
		w.send(host, otherAt, "knock")
		w.send(other, mapped, "knock, knock")
		w.wantRead(host, otherAt, "knock, knock")
		w.send(host, otherAt, "come in")
		w.wantRead(other, mapped, "come in")

		// All go down with their NAT, but their LAN works on.
		w.SetDown(public, true)
		w.send(host, addrB, "lost")
		w.send(b, mapped, "lost")
		w.send(host, siblingAt, "still here")
		w.wantRead(sibling, private, "still here")
		w.SetDown(public, false)
		w.SetDown(private.Addr(), true)
		w.send(b, mapped, "lost")
		w.wantSilence(host)
		if s := w.Stats(); s.Down != 3 {
			w.Errorf("%+v", s)
		}
	})
}

func TestNATIsBounded(t *testing.T) {
	simulate(t, netsim.Config{}, func(w *world) {
		nat := w.NAT(public, netsim.Symmetric)
		host := nat.Listen(private)
		to := func(i int) netip.AddrPort { return netip.AddrPortFrom(addrB.Addr(), uint16(1+i)) }
		for i := range netsim.MaxMappings + 10 {
			w.send(host, to(i), "x")
		}
		w.wantStats(netsim.Stats{Sent: netsim.MaxMappings + 10, NoRoute: netsim.MaxMappings, Filtered: 10})
		time.Sleep(netsim.NATTimeout)
		w.send(host, to(0), "room again")
		if _, ok := nat.Mapped(private, to(0)); !ok {
			w.Error("not mapped")
		}

		cone := w.NAT(addrC.Addr(), netsim.PortRestricted)
		host = cone.Listen(private)
		for i := range netsim.MaxMappings + 10 {
			w.send(host, to(i), "x")
		}
		if s := w.Stats(); s.Filtered != 20 {
			w.Errorf("%+v", s)
		}
	})
}

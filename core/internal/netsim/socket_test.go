package netsim_test

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/discv5/host/core/internal/netsim"
)

func TestCloseEndsReads(t *testing.T) {
	for _, test := range []struct {
		name  string
		close func(*netsim.Network, *netsim.Socket)
	}{
		{"of the socket", func(_ *netsim.Network, s *netsim.Socket) { s.Close() }},
		{"of the network", func(n *netsim.Network, _ *netsim.Socket) { n.Close() }},
	} {
		t.Run(test.name, func(t *testing.T) {
			simulate(t, netsim.Config{Latency: time.Millisecond}, func(w *world) {
				a := w.Listen(addrA)
				ended := make(chan error)
				go func() {
					_, _, err := a.ReadFromUDPAddrPort(make([]byte, 10))
					ended <- err
				}()
				synctest.Wait()
				w.send(a, addrA, "under way")
				test.close(w.Network, a)
				if err := <-ended; !errors.Is(err, net.ErrClosed) {
					w.Errorf("read: %v", err)
				}
				if _, err := a.WriteToUDPAddrPort(nil, addrB); !errors.Is(err, net.ErrClosed) {
					w.Errorf("write: %v", err)
				}
				if err := a.SetReadDeadline(time.Now()); !errors.Is(err, net.ErrClosed) {
					w.Errorf("deadline: %v", err)
				}
				if err := a.Close(); err != nil {
					w.Errorf("second close: %v", err)
				}
			})
		})
	}
}

func TestCloseBeforeListen(t *testing.T) {
	n := netsim.New(netsim.Config{})
	n.Close()
	n.Close()
}

func TestReadDeadline(t *testing.T) {
	simulate(t, netsim.Config{}, func(w *world) {
		a := w.Listen(addrA)
		read := func() (string, error) {
			b := make([]byte, 10)
			n, _, err := a.ReadFromUDPAddrPort(b)
			return string(b[:n]), err
		}
		start := time.Now()
		a.SetReadDeadline(start.Add(time.Second))
		if _, err := read(); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Second {
			w.Fatalf("%v after %v", err, time.Since(start))
		}
		w.send(a, addrA, "waits")
		if _, err := read(); !errors.Is(err, os.ErrDeadlineExceeded) {
			w.Fatalf("a passed deadline: %v", err)
		}
		a.SetReadDeadline(time.Time{})
		if s, err := read(); s != "waits" || err != nil {
			w.Fatal(s, err)
		}
		// A deadline set by somebody else wakes a reader, now or later.
		for _, wait := range []time.Duration{0, time.Minute} {
			a.SetReadDeadline(time.Now().Add(time.Hour))
			ended := make(chan error)
			go func() { _, err := read(); ended <- err }()
			synctest.Wait()
			set := time.Now()
			a.SetReadDeadline(set.Add(wait))
			if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(set) != wait {
				w.Fatalf("%v after %v, want %v", err, time.Since(set), wait)
			}
		}
	})
}

func TestSmallBufferCutsDatagram(t *testing.T) {
	simulate(t, netsim.Config{}, func(w *world) {
		a := w.Listen(addrA)
		w.send(a, addrA, "0123456789")
		w.send(a, addrA, "next")
		b := make([]byte, 4)
		for _, want := range []string{"0123", "next"} {
			if n, _, err := a.ReadFromUDPAddrPort(b); err != nil || string(b[:n]) != want {
				w.Errorf("%q, %v; want %q", b[:n], err, want)
			}
		}
	})
}

func TestWriteErrors(t *testing.T) {
	simulate(t, netsim.Config{}, func(w *world) {
		a := w.Listen(addrA)
		for _, test := range []struct {
			name string
			to   netip.AddrPort
			size int
			want error
		}{
			{"too large", addrA, 65508, syscall.EMSGSIZE},
			{"no address", netip.AddrPort{}, 1, syscall.EINVAL},
			{"port 0", netip.AddrPortFrom(addrA.Addr(), 0), 1, syscall.EINVAL},
			{"other family", netip.MustParseAddrPort("[2001:db8::1]:9000"), 1, syscall.EAFNOSUPPORT},
		} {
			if n, err := a.WriteToUDPAddrPort(make([]byte, test.size), test.to); n != 0 || !errors.Is(err, test.want) {
				w.Errorf("%s: %d, %v", test.name, n, err)
			}
		}
		w.wantStats(netsim.Stats{})
		mapped := netip.AddrPortFrom(netip.AddrFrom16(addrA.Addr().As16()), addrA.Port())
		w.send(a, mapped, "4-in-6")
		w.wantRead(a, addrA, "4-in-6")
	})
}

// What a caller does with its buffer after a write does not change the datagram.
func TestWriteCopies(t *testing.T) {
	simulate(t, netsim.Config{Latency: time.Millisecond}, func(w *world) {
		a := w.Listen(addrA)
		b := bytes.Repeat([]byte{'x'}, 1280)
		if _, err := a.WriteToUDPAddrPort(b, addrA); err != nil {
			w.Fatal(err)
		}
		want := string(b)
		clear(b)
		w.wantRead(a, addrA, want)
	})
}

func TestListen(t *testing.T) {
	simulate(t, netsim.Config{}, func(w *world) {
		host := addrA.Addr()
		first := w.Listen(netip.AddrPortFrom(host, 0))
		second := w.Listen(netip.AddrPortFrom(host, 0))
		p, q := first.LocalAddr().(*net.UDPAddr).AddrPort(), second.LocalAddr().(*net.UDPAddr).AddrPort()
		if p.Addr() != host || q.Addr() != host || p.Port() == 0 || p.Port() == q.Port() {
			w.Errorf("listening on %v and %v", p, q)
		}
		w.NAT(addrC.Addr(), netsim.FullCone)
		for name, listen := range map[string]func(){
			"twice":           func() { w.Listen(p) },
			"nowhere":         func() { w.Listen(netip.AddrPort{}) },
			"unspecified":     func() { w.Listen(netip.MustParseAddrPort("0.0.0.0:9000")) },
			"on a NAT":        func() { w.Listen(addrC) },
			"NAT on a socket": func() { w.NAT(host, netsim.FullCone) },
			"NAT on a NAT":    func() { w.NAT(addrC.Addr(), netsim.FullCone) },
		} {
			func() {
				defer func() {
					if recover() == nil {
						w.Errorf("%s: no panic", name)
					}
				}()
				listen()
			}()
		}
	})
}

// A node takes either a real socket or a simulated one.
var (
	_ nodeSocket = (*net.UDPConn)(nil)
	_ nodeSocket = (*netsim.Socket)(nil)
)

type nodeSocket interface {
	ReadFromUDPAddrPort(b []byte) (n int, addr netip.AddrPort, err error)
	WriteToUDPAddrPort(b []byte, addr netip.AddrPort) (int, error)
	LocalAddr() net.Addr
	SetReadDeadline(t time.Time) error
	Close() error
}

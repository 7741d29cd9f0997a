package udp_test

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/discv5/host/core/internal/udp"
)

func TestWriterRefuses(t *testing.T) {
	at := netip.MustParseAddrPort("127.0.0.1:0")
	c := udp.NewConn(listen(t, at))
	w := udp.NewWriter(c)
	for _, test := range []struct {
		name string
		to   netip.AddrPort
		size int
		want error
	}{
		{"1281 bytes", c.LocalAddr(), 1281, udp.ErrTooLarge},
		{"no address", netip.AddrPort{}, 10, udp.ErrAddress},
		{"port 0", netip.AddrPortFrom(c.LocalAddr().Addr(), 0), 10, udp.ErrAddress},
	} {
		w.Queue(test.to, make([]byte, test.size))
		if w.Len() != 0 {
			t.Errorf("%s: queued", test.name)
		}
		if sent, dropped, err := w.Flush(); sent != 0 || dropped != 1 || !errors.Is(err, test.want) {
			t.Errorf("%s: %d, %d, %v", test.name, sent, dropped, err)
		}
	}
	flush(t, w, 0)
}

// Datagrams that cannot be sent do not take their neighbours with them.
func TestBadDestinationsAreDroppedAlone(t *testing.T) {
	onBackends(t, func(t *testing.T, at netip.AddrPort, wrap func(*net.UDPConn) udp.PacketConn) {
		c := udp.NewConn(wrap(listen(t, at)))
		bad := netip.MustParseAddrPort("[2001:db8::1]:9") // the other family
		if at.Addr().Is6() {
			bad = netip.MustParseAddrPort("192.0.2.1:9")
		}
		w := udp.NewWriter(c)
		for range 3 {
			w.Queue(bad, []byte("lost"))
			w.Queue(bad, []byte("lost"))
			w.Queue(c.LocalAddr(), []byte("kept"))
		}
		w.Queue(bad, []byte("lost"))
		if sent, dropped, err := w.Flush(); sent != 3 || dropped != 7 || err == nil {
			t.Fatalf("sent %d, dropped %d, %v", sent, dropped, err)
		}
		if lost := w.Lost(); len(lost) != 7 || lost[0] != bad || lost[6] != bad {
			t.Errorf("lost %v, want seven times %v", lost, bad)
		}
		w.Queue(c.LocalAddr(), []byte("kept"))
		if flush(t, w, 1); len(w.Lost()) != 0 {
			t.Errorf("lost %v though nothing was dropped", w.Lost())
		}
		for _, s := range must(readAll(t, c, 4)) {
			if s != "kept" {
				t.Errorf("got %q", s)
			}
		}
	})
}

func must[T, U any](v T, _ U) T { return v }

func TestFullQueueIsSent(t *testing.T) {
	c := udp.NewConn(listen(t, netip.MustParseAddrPort("127.0.0.1:0")))
	w := udp.NewWriter(c)
	for range udp.MaxQueue {
		w.Queue(c.LocalAddr(), []byte("first"))
	}
	if w.Len() != udp.MaxQueue {
		t.Fatalf("%d queued", w.Len())
	}
	b := w.Buffer()
	if w.Len() != 0 || len(b) != 0 || cap(b) < udp.MaxDatagram {
		t.Fatalf("%d queued, a buffer of %d/%d", w.Len(), len(b), cap(b))
	}
	w.Queue(c.LocalAddr(), append(b, "last"...))
	flush(t, w, udp.MaxQueue+1)
	if got, _ := readAll(t, c, udp.MaxQueue+1); got[udp.MaxQueue] != "last" {
		t.Errorf("got %q", got)
	}
}

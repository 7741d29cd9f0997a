package udp_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/discv5/host/core/internal/udp"
)

const patience = 10 * time.Second

// loopbacks are the addresses on which every test of a real socket runs.
var loopbacks = []struct{ name, addr string }{{"IPv4", "127.0.0.1:0"}, {"IPv6", "[::1]:0"}}

// onLoopbacks runs a test for each address family that the machine has.
func onLoopbacks(t *testing.T, f func(t *testing.T, at netip.AddrPort)) {
	for _, l := range loopbacks {
		t.Run(l.name, func(t *testing.T) {
			at := netip.MustParseAddrPort(l.addr)
			if c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at)); err != nil {
				t.Skipf("this machine has no %s loopback: %v", l.name, err)
			} else {
				c.Close()
			}
			f(t, at)
		})
	}
}

func listen(t testing.TB, at netip.AddrPort) *net.UDPConn {
	t.Helper()
	pc, err := udp.Listen(at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	if err := pc.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return pc
}

// plain hides that a socket is a *net.UDPConn, so that it is read and written one by one.
type plain struct{ udp.PacketConn }

// backends are the two ways to use a real socket.
var backends = []struct {
	name string
	wrap func(*net.UDPConn) udp.PacketConn
}{
	{"batched", func(c *net.UDPConn) udp.PacketConn { return c }},
	{"plain", func(c *net.UDPConn) udp.PacketConn { return plain{c} }},
}

func onBackends(t *testing.T, f func(t *testing.T, at netip.AddrPort, wrap func(*net.UDPConn) udp.PacketConn)) {
	onLoopbacks(t, func(t *testing.T, at netip.AddrPort) {
		for _, b := range backends {
			t.Run(b.name, func(t *testing.T) { f(t, at, b.wrap) })
		}
	})
}

func flush(t testing.TB, w *udp.Writer, want int) {
	t.Helper()
	if sent, dropped, err := w.Flush(); sent != want || dropped != 0 || err != nil {
		t.Fatalf("flush: sent %d, dropped %d, %v; want %d sent", sent, dropped, err, want)
	}
}

// readAll reads n datagrams and returns them as strings, with the sender of all of them.
func readAll(t testing.TB, c *udp.Conn, n int) (got []string, from netip.AddrPort) {
	t.Helper()
	var batch udp.ReadBatch
	for len(got) < n {
		k, err := c.Read(&batch)
		if err != nil {
			t.Fatalf("after %d of %d datagrams: %v", len(got), n, err)
		}
		if k < 1 || k > udp.MaxBatch {
			t.Fatalf("a batch of %d", k)
		}
		for i := range k {
			data, sender, truncated := batch.At(i)
			if truncated {
				t.Fatalf("%d bytes truncated", len(data))
			}
			if from.IsValid() && sender != from {
				t.Fatalf("from %v and %v", from, sender)
			}
			got, from = append(got, string(data)), sender
		}
	}
	return got, from
}

func TestDatagramsArriveInOrderFromTheirSender(t *testing.T) {
	onBackends(t, func(t *testing.T, at netip.AddrPort, wrap func(*net.UDPConn) udp.PacketConn) {
		a, b := udp.NewConn(wrap(listen(t, at))), udp.NewConn(wrap(listen(t, at)))
		w := udp.NewWriter(a)
		var want []string
		for i := range 200 { // several batches, queues and growths of both
			s := fmt.Sprintf("datagram %d %s", i, bytes.Repeat([]byte{'x'}, i%7))
			want = append(want, s)
			if i%2 == 0 {
				w.Queue(b.LocalAddr(), append(w.Buffer(), s...))
			} else {
				w.Queue(b.LocalAddr(), []byte(s))
			}
		}
		flush(t, w, len(want))
		got, from := readAll(t, b, len(want))
		if from != a.LocalAddr() {
			t.Errorf("from %v, want %v", from, a.LocalAddr())
		}
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("datagram %d: %q, want %q", i, got[i], want[i])
			}
		}
	})
}

func TestEmptyDatagram(t *testing.T) {
	onBackends(t, func(t *testing.T, at netip.AddrPort, wrap func(*net.UDPConn) udp.PacketConn) {
		c := udp.NewConn(wrap(listen(t, at)))
		w := udp.NewWriter(c)
		w.Queue(c.LocalAddr(), nil)
		w.Queue(c.LocalAddr(), w.Buffer())
		w.Queue(c.LocalAddr(), []byte("a"))
		flush(t, w, 3)
		if got, _ := readAll(t, c, 3); got[0] != "" || got[1] != "" || got[2] != "a" {
			t.Errorf("got %q", got)
		}
	})
}

func TestOversizedDatagramIsMarked(t *testing.T) {
	onBackends(t, func(t *testing.T, at netip.AddrPort, wrap func(*net.UDPConn) udp.PacketConn) {
		out := listen(t, at)
		c := udp.NewConn(wrap(listen(t, at)))
		var batch udp.ReadBatch
		for _, size := range []int{1279, 1280, 1281, 1282, 9000} {
			if _, err := out.WriteToUDPAddrPort(bytes.Repeat([]byte{7}, size), c.LocalAddr()); err != nil {
				t.Fatal(err)
			}
			if n, err := c.Read(&batch); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			data, from, truncated := batch.At(0)
			if len(data) != min(size, udp.MaxDatagram) || truncated != (size > udp.MaxDatagram) || from.Port() == 0 {
				t.Errorf("%d bytes: got %d from %v, truncated %v", size, len(data), from, truncated)
			}
		}
	})
}

func TestCloseEndsRead(t *testing.T) {
	onBackends(t, func(t *testing.T, at netip.AddrPort, wrap func(*net.UDPConn) udp.PacketConn) {
		c := udp.NewConn(wrap(listen(t, at)))
		done, reading := make(chan error), make(chan struct{})
		go func() {
			close(reading)
			_, err := c.Read(new(udp.ReadBatch))
			done <- err
		}()
		<-reading
		c.Close()
		if err := <-done; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Read ended with %v", err)
		}
		if n, err := c.Read(new(udp.ReadBatch)); n != 0 || !errors.Is(err, net.ErrClosed) {
			t.Errorf("Read after Close: %d, %v", n, err)
		}
		w := udp.NewWriter(c)
		w.Queue(netip.MustParseAddrPort("127.0.0.1:9"), []byte("late"))
		w.Queue(netip.MustParseAddrPort("127.0.0.1:9"), []byte("later"))
		if sent, dropped, err := w.Flush(); sent != 0 || dropped != 2 || !errors.Is(err, net.ErrClosed) {
			t.Errorf("flush after Close: %d, %d, %v", sent, dropped, err)
		}
	})
}

func TestReadDeadline(t *testing.T) {
	onLoopbacks(t, func(t *testing.T, at netip.AddrPort) {
		c := udp.NewConn(listen(t, at))
		if err := c.SetReadDeadline(time.Now()); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(new(udp.ReadBatch)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
		c.SetReadDeadline(time.Now().Add(patience))
		w := udp.NewWriter(c)
		w.Queue(c.LocalAddr(), []byte("hello"))
		flush(t, w, 1)
		if got, _ := readAll(t, c, 1); got[0] != "hello" {
			t.Errorf("got %q", got)
		}
	})
	if err := udp.NewConn(plain{}).SetReadDeadline(time.Now()); !errors.Is(err, os.ErrNoDeadline) {
		t.Errorf("a socket without deadlines: %v", err)
	}
}

func TestFamiliesShareAPort(t *testing.T) {
	v4 := listen(t, netip.MustParseAddrPort("0.0.0.0:0"))
	port := udp.NewConn(v4).LocalAddr().Port()
	v6, err := udp.Listen(netip.AddrPortFrom(netip.IPv6Unspecified(), port))
	if err != nil {
		if _, err := net.ListenUDP("udp6", nil); err != nil {
			t.Skipf("this machine has no IPv6: %v", err)
		}
		t.Fatal(err)
	}
	v6.Close()
}

func TestListenRefusesNoAddress(t *testing.T) {
	if pc, err := udp.Listen(netip.AddrPort{}); err == nil {
		pc.Close()
		t.Error("listens on no address")
	}
}

// A socket for both families shows IPv4 senders as IPv4 and can answer them.
func TestMappedAddressesAreUnmapped(t *testing.T) {
	dual, err := net.ListenUDP("udp", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer dual.Close()
	dual.SetReadDeadline(time.Now().Add(patience))
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			server := udp.NewConn(b.wrap(dual))
			client := udp.NewConn(listen(t, netip.MustParseAddrPort("127.0.0.1:0")))
			w := udp.NewWriter(client)
			mapped := netip.AddrFrom16(netip.MustParseAddr("127.0.0.1").As16())
			w.Queue(netip.AddrPortFrom(mapped, server.LocalAddr().Port()), []byte("ping"))
			flush(t, w, 1)
			_, from := readAll(t, server, 1)
			if from != client.LocalAddr() {
				t.Fatalf("from %v, want %v", from, client.LocalAddr())
			}
			w = udp.NewWriter(server)
			w.Queue(from, []byte("pong"))
			flush(t, w, 1)
			if got, _ := readAll(t, client, 1); got[0] != "pong" {
				t.Errorf("got %q", got)
			}
		})
	}
}

// TestReadEachMissesNothing sends bursts, the next one only when all of the last were taken: a datagram that a reader sleeps over
// would end it. The senders hurry, so that some come while a batch is handled.
func TestReadEachMissesNothing(t *testing.T) {
	onBackends(t, func(t *testing.T, at netip.AddrPort, wrap func(*net.UDPConn) udp.PacketConn) {
		out, in := listen(t, at), listen(t, at)
		in.SetReadDeadline(time.Now().Add(patience))
		c := udp.NewConn(wrap(in))
		const total = 20_000
		taken := make(chan int, total)
		go func() {
			for sent, burst := 0, 1; sent < total; burst = burst%7 + 1 {
				for range burst {
					if _, err := out.WriteToUDPAddrPort([]byte("x"), c.LocalAddr()); err != nil {
						t.Error(err)
						return
					}
				}
				for owed := burst; owed > 0; {
					n, open := <-taken
					if !open {
						return
					}
					owed -= n
				}
				sent += burst
			}
			in.SetReadDeadline(time.Now())
		}()
		got := 0
		var batch udp.ReadBatch
		err := c.ReadEach(&batch, func(n int) bool {
			got += n
			taken <- n
			return true
		})
		close(taken)
		if !errors.Is(err, os.ErrDeadlineExceeded) || got < total {
			t.Errorf("%d of %d datagrams, then %v", got, total, err)
		}
	})
}

package netsim_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/discv5/host/core/internal/netsim"
)

var (
	addrA = netip.MustParseAddrPort("198.51.100.1:9000")
	addrB = netip.MustParseAddrPort("203.0.113.2:9000")
	addrC = netip.MustParseAddrPort("192.0.2.3:9000")
)

// world is a network in a bubble.
type world struct {
	*testing.T
	*netsim.Network
}

func simulate(t *testing.T, cfg netsim.Config, f func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t, netsim.New(cfg)}
		defer w.Close()
		f(w)
	})
}

func (w *world) send(from *netsim.Socket, to netip.AddrPort, data string) {
	w.Helper()
	if n, err := from.WriteToUDPAddrPort([]byte(data), to); n != len(data) || err != nil {
		w.Fatalf("send %q: %d, %v", data, n, err)
	}
}

// wantRead reads one datagram, waiting up to a minute.
func (w *world) wantRead(s *netsim.Socket, from netip.AddrPort, data string) {
	w.Helper()
	if err := s.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		w.Fatal(err)
	}
	b := make([]byte, 2000)
	n, sender, err := s.ReadFromUDPAddrPort(b)
	if err != nil || string(b[:n]) != data || sender != from {
		w.Fatalf("read %q from %v, %v; want %q from %v", b[:n], sender, err, data, from)
	}
}

func (w *world) wantSilence(s *netsim.Socket) {
	w.Helper()
	s.SetReadDeadline(time.Now().Add(time.Minute))
	b := make([]byte, 2000)
	if n, from, err := s.ReadFromUDPAddrPort(b); !errors.Is(err, os.ErrDeadlineExceeded) {
		w.Fatalf("read %q from %v, %v; want silence", b[:n], from, err)
	}
}

// wantStats compares all the counts but Bytes.
func (w *world) wantStats(want netsim.Stats) {
	w.Helper()
	got := w.Stats()
	got.Bytes = want.Bytes
	if got != want {
		w.Fatalf("stats:\n got %+v\nwant %+v", got, want)
	}
}

func TestDatagramsTakeTheLatency(t *testing.T) {
	simulate(t, netsim.Config{Latency: 20 * time.Millisecond}, func(w *world) {
		a, b := w.Listen(addrA), w.Listen(addrB)
		start := time.Now()
		for i := range 5 {
			w.send(a, addrB, fmt.Sprint(i))
		}
		if s := w.Stats(); s.InFlight != 5 || s.Sent != 5 || s.Bytes != 5 {
			w.Fatalf("%+v", s)
		}
		for i := range 5 {
			w.wantRead(b, addrA, fmt.Sprint(i))
		}
		if took := time.Since(start); took != 20*time.Millisecond {
			w.Errorf("took %v", took)
		}
		w.SetLatency(time.Second, 0)
		w.send(b, addrA, "slow")
		w.SetLatency(time.Millisecond, 0)
		w.send(b, addrA, "fast")
		w.wantRead(a, addrB, "fast")
		w.wantRead(a, addrB, "slow")
		if took := time.Since(start); took != 1020*time.Millisecond {
			w.Errorf("took %v", took)
		}
	})
}

func TestWithoutLatencyDatagramsArriveAtOnce(t *testing.T) {
	simulate(t, netsim.Config{}, func(w *world) {
		a, b := w.Listen(addrA), w.Listen(addrB)
		w.send(a, addrB, "now")
		w.wantStats(netsim.Stats{Sent: 1, Delivered: 1})
		w.wantRead(b, addrA, "now")
	})
}

func TestNetworkInRealTime(t *testing.T) {
	n := netsim.New(netsim.Config{Latency: time.Millisecond})
	defer n.Close()
	w := &world{t, n}
	a, b := n.Listen(addrA), n.Listen(addrB)
	start := time.Now()
	w.send(a, addrB, "real")
	w.wantRead(b, addrA, "real")
	if took := time.Since(start); took < time.Millisecond {
		t.Errorf("took %v", took)
	}
}

func TestJitterStaysInItsBounds(t *testing.T) {
	simulate(t, netsim.Config{Latency: 10 * time.Millisecond, Jitter: 20 * time.Millisecond}, func(w *world) {
		a, _ := w.Listen(addrA), w.Listen(addrB)
		start := time.Now()
		var delays []time.Duration
		w.Tap(func(e netsim.Event) { delays = append(delays, e.At.Sub(start)) })
		for range 1000 {
			w.send(a, addrB, "x")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if len(delays) != 1000 || delays[0] < 10*time.Millisecond || delays[0] > 11*time.Millisecond ||
			delays[999] < 29*time.Millisecond || delays[999] >= 30*time.Millisecond {
			w.Fatalf("%d datagrams took %v to %v", len(delays), delays[0], delays[len(delays)-1])
		}
	})
}

func TestLoss(t *testing.T) {
	simulate(t, netsim.Config{Loss: 0.25, QueueLen: 5000}, func(w *world) {
		a, b := w.Listen(addrA), w.Listen(addrB)
		for range 4000 {
			w.send(a, addrB, "x")
		}
		if s := w.Stats(); s.Lost < 900 || s.Lost > 1100 || s.Lost+s.Delivered != 4000 {
			w.Errorf("%+v", s)
		}
		w.SetLoss(1)
		w.send(b, addrA, "never")
		w.wantSilence(a)
		w.SetLoss(0)
		w.send(b, addrA, "always")
		w.wantRead(a, addrB, "always")
	})
}

func TestDuplicates(t *testing.T) {
	simulate(t, netsim.Config{Duplicate: 1, Latency: time.Millisecond}, func(w *world) {
		a, b := w.Listen(addrA), w.Listen(addrB)
		w.send(a, addrB, "twice")
		w.wantRead(b, addrA, "twice")
		w.wantRead(b, addrA, "twice")
		w.wantSilence(b)
		w.wantStats(netsim.Stats{Sent: 1, Duplicated: 1, Delivered: 2})
	})
}

func TestReorder(t *testing.T) {
	simulate(t, netsim.Config{Reorder: 0.2, Latency: 10 * time.Millisecond}, func(w *world) {
		a, b := w.Listen(addrA), w.Listen(addrB)
		for i := range 100 {
			w.send(a, addrB, fmt.Sprint(i))
			time.Sleep(time.Millisecond)
		}
		buf := make([]byte, 10)
		seen, swapped, last := map[string]bool{}, 0, -1
		for range 100 {
			n, _, err := b.ReadFromUDPAddrPort(buf)
			if err != nil {
				w.Fatal(err)
			}
			var i int
			fmt.Sscan(string(buf[:n]), &i)
			if seen[string(buf[:n])] = true; i < last {
				swapped++
			}
			last = i
		}
		if len(seen) != 100 || swapped < 5 || swapped > 40 {
			w.Errorf("%d different datagrams, %d out of order", len(seen), swapped)
		}
	})
}

func TestPartitionAndHeal(t *testing.T) {
	simulate(t, netsim.Config{Latency: time.Millisecond}, func(w *world) {
		a, b, c := w.Listen(addrA), w.Listen(addrB), w.Listen(addrC)
		w.send(a, addrB, "under way")
		w.Partition(func(h netip.Addr) int {
			if h == addrA.Addr() {
				return 1
			}
			return 2
		})
		w.wantRead(b, addrA, "under way")
		w.send(a, addrB, "over the wall")
		w.send(b, addrA, "over the wall")
		w.send(b, addrC, "inside")
		w.wantRead(c, addrB, "inside")
		w.wantSilence(a)
		w.Heal()
		w.send(a, addrB, "again")
		w.wantRead(b, addrA, "again")
		w.wantStats(netsim.Stats{Sent: 5, Delivered: 3, Partitioned: 2})
	})
}

func TestDownHostsNeitherSendNorReceive(t *testing.T) {
	simulate(t, netsim.Config{Latency: time.Millisecond}, func(w *world) {
		a, b := w.Listen(addrA), w.Listen(addrB)
		w.send(a, addrB, "too late")
		w.SetDown(addrB.Addr(), true)
		w.send(a, addrB, "hello?")
		w.send(b, addrA, "help")
		w.wantSilence(b)
		w.SetDown(addrB.Addr(), false)
		w.send(b, addrA, "back")
		w.wantRead(a, addrB, "back")
		w.wantStats(netsim.Stats{Sent: 4, Delivered: 1, Down: 3})
	})
}

func TestFullQueueOverflows(t *testing.T) {
	simulate(t, netsim.Config{QueueLen: 3}, func(w *world) {
		a, b := w.Listen(addrA), w.Listen(addrB)
		for i := range 5 {
			w.send(a, addrB, fmt.Sprint(i))
		}
		for i := range 3 {
			w.wantRead(b, addrA, fmt.Sprint(i))
		}
		w.wantSilence(b)
		w.wantStats(netsim.Stats{Sent: 5, Delivered: 3, Overflow: 2})
	})
}

func TestNobodyListens(t *testing.T) {
	simulate(t, netsim.Config{Latency: time.Millisecond}, func(w *world) {
		a, b := w.Listen(addrA), w.Listen(addrB)
		w.send(a, addrC, "anybody?")
		w.send(a, addrB, "gone")
		b.Close()
		w.wantSilence(a)
		w.wantStats(netsim.Stats{Sent: 2, NoRoute: 2})
		b = w.Listen(addrB) // the address is free again
		w.send(a, addrB, "new")
		w.wantRead(b, addrA, "new")
	})
}

func TestTapSeesEveryFate(t *testing.T) {
	simulate(t, netsim.Config{Latency: 5 * time.Millisecond}, func(w *world) {
		a := w.Listen(addrA)
		w.Listen(addrB)
		start := time.Now()
		var first, second []string
		w.Tap(func(e netsim.Event) {
			first = append(first, fmt.Sprint(e.At.Sub(start), e.From, e.To, string(e.Data), e.Verdict))
			clear(e.Data) // its own copy
		})
		w.Tap(func(e netsim.Event) { second = append(second, string(e.Data)+" "+e.Verdict.String()) })
		w.send(a, addrB, "one")
		w.send(a, addrC, "two")
		w.SetLoss(1)
		w.send(a, addrB, "three")
		time.Sleep(time.Second)
		synctest.Wait()
		want := fmt.Sprint([]string{
			fmt.Sprint(0*time.Second, addrA, addrB, "three", "lost"),
			fmt.Sprint(5*time.Millisecond, addrA, addrB, "one", "delivered"),
			fmt.Sprint(5*time.Millisecond, addrA, addrC, "two", "no route"),
		})
		if got := fmt.Sprint(first); got != want {
			w.Errorf("tapped\n%s, want\n%s", got, want)
		}
		if got := fmt.Sprint(second); got != "[three lost one delivered two no route]" {
			w.Errorf("second tap: %s", got)
		}
	})
}

// A tap may send, and is told of what it sent after it has returned.
func TestTapMaySend(t *testing.T) {
	simulate(t, netsim.Config{}, func(w *world) {
		a, b := w.Listen(addrA), w.Listen(addrB)
		inside, told := false, 0
		w.Tap(func(e netsim.Event) {
			if inside {
				w.Error("called while it was running")
			}
			inside = true
			if told++; e.To == addrB {
				w.send(b, addrA, "echo "+string(e.Data))
			}
			inside = false
		})
		w.send(a, addrB, "hello")
		w.wantRead(a, addrB, "echo hello")
		if told != 2 {
			w.Errorf("told %d times", told)
		}
	})
}

func TestHookDropsAndAlters(t *testing.T) {
	simulate(t, netsim.Config{}, func(w *world) {
		a, b, c := w.Listen(addrA), w.Listen(addrB), w.Listen(addrC)
		w.SetHook(func(p *netsim.Packet) netsim.Verdict {
			switch string(p.Data) {
			case "drop":
				return netsim.Lost
			case "nonsense":
				return -5
			case "alter":
				p.Data = []byte("a longer text than it was")
			case "divert":
				p.To, p.From = addrC, addrB
			case "delay":
				p.Delay = time.Second
			}
			return netsim.Delivered
		})
		for _, s := range []string{"drop", "nonsense", "alter", "divert", "delay"} {
			w.send(a, addrB, s)
		}
		w.wantRead(b, addrA, "a longer text than it was")
		w.wantRead(c, addrB, "divert")
		start := time.Now()
		w.wantRead(b, addrA, "delay")
		if took := time.Since(start); took != time.Second {
			w.Errorf("delayed by %v", took)
		}
		w.SetHook(nil)
		w.send(a, addrB, "drop")
		w.wantRead(b, addrA, "drop")
		w.wantStats(netsim.Stats{Sent: 6, Delivered: 4, Lost: 2})
	})
}

// The nth datagram of a socket has the same fate in every run, whatever the others send in between.
func TestFateDependsOnSeedAndSenderAlone(t *testing.T) {
	fates := func(t *testing.T, seed uint64, others int) (got string) {
		cfg := netsim.Config{Loss: 0.3, Duplicate: 0.2, Latency: time.Millisecond, Jitter: time.Second, Seed: seed}
		simulate(t, cfg, func(w *world) {
			a, b := w.Listen(addrA), w.Listen(addrB)
			w.Listen(addrC)
			start := time.Now()
			w.Tap(func(e netsim.Event) {
				if e.From == addrA {
					got += fmt.Sprintln(string(e.Data), e.Verdict, e.At.Sub(start))
				}
			})
			for i := range 50 {
				w.send(a, addrC, fmt.Sprint(i))
				for range others {
					w.send(b, addrC, "noise")
				}
			}
			time.Sleep(time.Minute)
			synctest.Wait()
		})
		return got
	}
	alone := fates(t, 1, 0)
	if crowd := fates(t, 1, 3); crowd != alone {
		t.Errorf("other senders change it:\n%s\n%s", alone, crowd)
	}
	if other := fates(t, 2, 0); other == alone {
		t.Error("the seed changes nothing")
	}
}

func TestSwarm(t *testing.T) {
	const nodes, rounds = 300, 340
	cfg := netsim.Config{Latency: 20 * time.Millisecond, Jitter: 10 * time.Millisecond, Loss: 0.01, Seed: 7}
	simulate(t, cfg, func(w *world) {
		var sockets []*netsim.Socket
		var readers sync.WaitGroup
		at := func(i int) netip.AddrPort {
			return netip.AddrPortFrom(netip.AddrFrom4([4]byte{45, byte(i >> 8), byte(i), 1}), 9000)
		}
		for i := range nodes {
			s := w.Listen(at(i))
			sockets = append(sockets, s)
			readers.Go(func() {
				b := make([]byte, 1280)
				for {
					if _, _, err := s.ReadFromUDPAddrPort(b); err != nil {
						if !errors.Is(err, net.ErrClosed) {
							w.Error(err)
						}
						return
					}
				}
			})
		}
		data := make([]byte, 300)
		for r := range rounds {
			for i, s := range sockets {
				if _, err := s.WriteToUDPAddrPort(data, at((i+r+1)%nodes)); err != nil {
					w.Fatal(err)
				}
			}
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
		s := w.Stats()
		if s.Sent != nodes*rounds || s.Delivered+s.Lost != s.Sent || s.Lost == 0 || s.InFlight != 0 {
			w.Errorf("%+v", s)
		}
		w.Close()
		readers.Wait()
	})
}

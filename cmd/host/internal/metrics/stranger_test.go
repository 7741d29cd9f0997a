package metrics

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/discv5/host/codec"
	"github.com/discv5/host/core"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// wire carries datagrams between sockets with any addresses.
type wire struct {
	mu      sync.Mutex
	sockets map[netip.AddrPort]*wireSocket
}

// wireSocket is a core.PacketConn.
type wireSocket struct {
	wire    *wire
	addr    netip.AddrPort
	arrived chan wireDatagram
	closed  chan struct{}
	once    sync.Once
}

type wireDatagram struct {
	from netip.AddrPort
	data []byte
}

func (w *wire) listen(addr netip.AddrPort) *wireSocket {
	s := &wireSocket{wire: w, addr: addr, arrived: make(chan wireDatagram, 1024), closed: make(chan struct{})}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sockets[addr] = s
	return s
}

func (s *wireSocket) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(s.addr) }

func (s *wireSocket) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

func (s *wireSocket) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	select {
	case d := <-s.arrived:
		return copy(b, d.data), d.from, nil
	case <-s.closed:
		return 0, netip.AddrPort{}, net.ErrClosed
	}
}

func (s *wireSocket) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	s.wire.mu.Lock()
	peer := s.wire.sockets[to]
	s.wire.mu.Unlock()
	if peer != nil {
		select {
		case peer.arrived <- wireDatagram{s.addr, slices.Clone(b)}:
		default: // as a network does
		}
	}
	return len(b), nil
}

func (w *wire) node(t *testing.T, addr netip.AddrPort, adjust func(*core.Config)) *core.Node {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	cfg := core.Config{PrivateKey: key, NewKey: true, Conns: []core.PacketConn{w.listen(addr)}, NoRefresh: true, Workers: 1}
	if adjust != nil {
		adjust(&cfg)
	}
	n, err := core.Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// nosy is a filter that tells a stranger's id as its reason.
type nosy struct{}

func (nosy) Decide(_ context.Context, _ core.Stage, nodes []*enode.Node, out []core.Verdict) error {
	for i, n := range nodes {
		out[i] = core.Verdict{Decision: core.Reject, Reason: n.ID().String()[:16]}
	}
	return nil
}

const nosySeries = "discv5_filter_decisions_total{"

// A thousand strangers come from as many addresses, ask for as many TALK protocols and send messages of every type that there is not:
// all are counted, and no series is added. What a filter makes of them stays within its bound.
func TestStrangersAddNoSeries(t *testing.T) {
	const strangers, workers = 1000, 8
	w := &wire{sockets: make(map[netip.AddrPort]*wireSocket)}
	host := w.node(t, netip.MustParseAddrPort("198.51.100.1:9000"), func(c *core.Config) {
		c.Filters = []core.FilterConfig{{Name: "nosy", Filter: nosy{}, Stages: []core.Stage{core.StageTable}}}
		c.Workers = 2
	})
	defer host.Close()
	remove, err := host.Handle("echo", core.TalkFunc(func(_ context.Context, r core.TalkRequest) ([]byte, error) { return r.Payload, nil }))
	if err != nil {
		t.Fatal(err)
	}
	defer remove()
	names := func() (fixed []string, decisions int) {
		series := scrape(t, promhttp.HandlerFor(registry(Config{Node: host}), promhttp.HandlerOpts{}))
		for _, name := range slices.Sorted(maps.Keys(series)) {
			if strings.HasPrefix(name, nosySeries) {
				decisions++
			} else {
				fixed = append(fixed, name)
			}
		}
		return fixed, decisions
	}
	before, _ := names()
	queue := make(chan int)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range queue {
				addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{20, byte(i / 250), byte(i % 250), 7}), uint16(20000+i))
				s := w.node(t, addr, nil)
				visit(t, s, host, i)
				s.Close()
			}
		})
	}
	for i := range strangers {
		queue <- i
	}
	close(queue)
	wg.Wait()
	st := host.Stats()
	if got := st.TalkUnknown; got != strangers {
		t.Errorf("%d requests of unknown protocols, want %d", got, strangers)
	}
	if got := st.MessagesReceived[core.UnknownMessageType]; got != strangers {
		t.Errorf("%d messages of unknown types, want %d", got, strangers)
	}
	if got := st.MessagesReceived[codec.FindNodeType]; got != strangers {
		t.Errorf("%d FINDNODE, want %d", got, strangers)
	}
	after, decisions := names()
	if !slices.Equal(before, after) {
		for _, name := range after {
			if !slices.Contains(before, name) {
				t.Errorf("strangers added %s", name)
			}
		}
		t.Errorf("%d series before, %d after", len(before), len(after))
	}
	if decisions < 10 || decisions > 64+3*3 { // as many kinds as core counts apart, and "other" for each stage and decision
		t.Errorf("%d series of decisions", decisions)
	}
}

// visit is what a stranger does.
func visit(t *testing.T, s, host *core.Node, i int) {
	to := host.Self()
	if _, err := s.Ping(t.Context(), to); err != nil {
		t.Errorf("stranger %d: ping: %v", i, err)
		return
	}
	if err := s.SendMessage(to.ID(), host.LocalAddrs()[0], byte(int(core.UnknownMessageType)+i%(256-int(core.UnknownMessageType))), nil); err != nil {
		t.Errorf("stranger %d: message: %v", i, err)
	}
	if _, err := s.FindNode(t.Context(), to, []uint{uint(i % 257)}); err != nil {
		t.Errorf("stranger %d: findnode: %v", i, err)
	}
	for _, protocol := range []string{fmt.Sprintf("\xffstranger %d", i), "echo"} {
		if _, err := s.Talk(t.Context(), to, protocol, nil); err != nil {
			t.Errorf("stranger %d: talk %q: %v", i, protocol, err)
		}
	}
}

// Another protocol has another label, and none has that of all others.
func TestProtocolLabels(t *testing.T) {
	for name, want := range map[string]string{
		"": "0x", "echo": "echo", "portal wire": "portal wire", "é": "é", "other": "0x6f74686572", "0x50": "0x30783530",
		"P\x0b": "0x500b", "\xff": "0xff", "\uFFFD": "0xefbfbd", "a\nb": "0x610a62",
	} {
		if got := protocol(name); got != want {
			t.Errorf("protocol %q has the label %q, want %q", name, got, want)
		}
	}
}

package core_test

import (
	"context"
	"crypto/ecdsa"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/discv5/host/codec"
	"github.com/discv5/host/core"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/discover"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/hashicorp/go-hclog"
)

// The tests of the geth_*_test.go files run this node against go-ethereum's over loopback sockets.
//
// Unless a test says otherwise both are quiet: neither checks nor looks up anything by itself, so that the only packets are
// those that the test causes.

var (
	loopback4 = netip.MustParseAddrPort("127.0.0.1:0")
	loopback6 = netip.MustParseAddrPort("[::1]:0")
)

// never is an interval that no test lives to see.
const never = 1000 * time.Hour

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// listenOurs starts a quiet node on a free loopback port and closes it when the test ends.
func listenOurs(t testing.TB, adjust ...func(*core.Config)) *core.Node {
	t.Helper()
	cfg := core.Config{
		PrivateKey: newKey(t), Listen: []netip.AddrPort{loopback4}, NewKey: true, NoRefresh: true,
		Logger: hclog.New(&hclog.LoggerOptions{Level: hclog.Warn, Output: t.Output()}),
	}
	for _, f := range adjust {
		f(&cfg)
	}
	n, err := core.Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error("close:", err)
		}
	})
	return n
}

// lively lets one of our nodes check and refresh its table, as it does by default.
func lively(c *core.Config) { c.NoRefresh = false }

// at gives one of our nodes a key and an address.
func at(key *ecdsa.PrivateKey, addr netip.AddrPort) func(*core.Config) {
	return func(c *core.Config) { c.PrivateKey, c.Listen = key, []netip.AddrPort{addr} }
}

// listenGeth starts a quiet go-ethereum node on a free loopback port and closes it when the test ends.
func listenGeth(t testing.TB, adjust ...func(*discover.Config)) *discover.UDPv5 {
	t.Helper()
	return listenGethAt(t, newKey(t), loopback4, adjust...)
}

func listenGethAt(t testing.TB, key *ecdsa.PrivateKey, addr netip.AddrPort, adjust ...func(*discover.Config)) *discover.UDPv5 {
	t.Helper()
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(addr))
	if err != nil {
		t.Fatal(err)
	}
	db, err := enode.OpenDB("") // in memory
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	local := enode.NewLocalNode(db, key)
	bound := conn.LocalAddr().(*net.UDPAddr)
	local.SetStaticIP(bound.IP)
	local.SetFallbackUDP(bound.Port)
	cfg := discover.Config{
		PrivateKey: key, PingInterval: never, RefreshInterval: never,
		V5RespTimeout: 3 * time.Second, // the default of 700 ms is too close to what a busy machine needs
	}
	for _, f := range adjust {
		f(&cfg)
	}
	g, err := discover.ListenV5(conn, local, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

// addrOf returns the endpoint that a record names.
func addrOf(n *enode.Node) netip.AddrPort {
	addr, _ := n.UDPEndpoint()
	return addr
}

// within returns a context that ends before the test binary would give up.
func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits until a condition holds.
func eventually(ctx context.Context, t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("in vain waited until %s", what)
		}
	}
}

// padding returns an entry that makes a record of this size, to be given a sequence number as long as its present one,
// exactly 300 bytes long.
func padding(t testing.TB, n *enode.Node) enr.Entry {
	t.Helper()
	record, err := rlp.EncodeToBytes(n.Record())
	if err != nil {
		t.Fatal(err)
	}
	room := enr.SizeLimit - len(record) - len("\x83pad") - len("\xb8\x00")
	if len(record) < 2+256 {
		room-- // the list header grows
	}
	if room < 56 {
		t.Fatalf("record of %d bytes leaves no room for padding", len(record))
	}
	return enr.WithEntry("pad", make([]byte, room))
}

func wantFullRecord(t testing.TB, n *enode.Node) {
	t.Helper()
	if record, err := rlp.EncodeToBytes(n.Record()); err != nil || len(record) != enr.SizeLimit {
		t.Fatalf("record has %d bytes, %v; want %d", len(record), err, enr.SizeLimit)
	}
}

// pad makes the record of one of our nodes 300 bytes long.
func pad(t testing.TB, n *core.Node) {
	t.Helper()
	if err := n.SetEntries(t.Context(), padding(t, n.Self())); err != nil {
		t.Fatal(err)
	}
	wantFullRecord(t, n.Self())
}

// ping lets ours ping geth, which must work.
func ping(t testing.TB, ours *core.Node, geth *enode.Node) {
	t.Helper()
	if _, err := ours.Ping(within(t, 10*time.Second), geth); err != nil {
		t.Fatal("our PING:", err)
	}
}

// gethPing lets geth ping ours, which must work.
func gethPing(t testing.TB, geth *discover.UDPv5, ours *enode.Node) {
	t.Helper()
	if _, err := geth.Ping(ours); err != nil {
		t.Fatal("geth's PING:", err)
	}
}

func TestGethWeOpen(t *testing.T) { weOpen(t, loopback4) }

func TestGethOpens(t *testing.T) { gethOpens(t, loopback4) }

func TestGethIPv6(t *testing.T) {
	probe, err := net.ListenUDP("udp6", net.UDPAddrFromAddrPort(loopback6))
	if err != nil {
		t.Skip("this machine has no ::1:", err)
	}
	_ = probe.Close()
	t.Run("WeOpen", func(t *testing.T) { weOpen(t, loopback6) })
	t.Run("Opens", func(t *testing.T) { gethOpens(t, loopback6) })
}

func weOpen(t *testing.T, on netip.AddrPort) {
	ours, geth := listenOurs(t, at(newKey(t), on)), listenGethAt(t, newKey(t), on)
	pong, err := ours.Ping(within(t, 10*time.Second), geth.Self())
	if err != nil {
		t.Fatal(err)
	}
	if pong.Recipient != ours.LocalAddrs()[0] || pong.ENRSeq != geth.Self().Seq() || pong.RTT <= 0 {
		t.Errorf("PONG says %v, seq %d, after %v; want %v, seq %d", pong.Recipient, pong.ENRSeq, pong.RTT, ours.LocalAddrs()[0], geth.Self().Seq())
	}
	ping(t, ours, geth.Self())
	s := ours.Stats().Sessions
	if s.HandshakesSent != 1 || s.HandshakesAccepted != 0 || s.Sessions != 1 {
		t.Errorf("two PINGs took %d handshakes of ours and %d of geth's, and left %d sessions; want 1, 0, 1", s.HandshakesSent, s.HandshakesAccepted, s.Sessions)
	}
	gethPing(t, geth, ours.Self())
	if s := ours.Stats().Sessions; s.HandshakesAccepted != 0 {
		t.Error("geth opened another session to ping over the one that we opened")
	}
}

func gethOpens(t *testing.T, on netip.AddrPort) {
	ours, geth := listenOurs(t, at(newKey(t), on)), listenGethAt(t, newKey(t), on)
	events, err := ours.Events(16)
	if err != nil {
		t.Fatal(err)
	}
	pong, err := geth.Ping(ours.Self())
	if err != nil {
		t.Fatal(err)
	}
	ip, _ := netip.AddrFromSlice(pong.ToIP)
	if to := netip.AddrPortFrom(ip, pong.ToPort); to != addrOf(geth.Self()) || pong.ENRSeq != ours.Self().Seq() {
		t.Errorf("PONG says %v, seq %d; want %v, seq %d", to, pong.ENRSeq, addrOf(geth.Self()), ours.Self().Seq())
	}
	up := false
	for !up {
		select {
		case e := <-events.C:
			if up = e.Type == core.SessionUp; !up {
				continue
			}
			if e.ID != geth.Self().ID() || e.Addr != addrOf(geth.Self()) || e.Node == nil || e.Node.Seq() != geth.Self().Seq() {
				t.Errorf("the session is with %v at %v, record %v; want %v", e.ID, e.Addr, e.Node, geth.Self())
			}
		case <-within(t, 10*time.Second).Done():
			t.Fatal("no word of the session")
		}
	}
	if n := ours.Node(geth.Self().ID()); n == nil || n.Seq() != geth.Self().Seq() {
		t.Errorf("the table has %v for geth, which showed its record in the handshake", n)
	}
	ping(t, ours, geth.Self())
	gethPing(t, geth, ours.Self())
	s := ours.Stats()
	if s.Sessions.HandshakesAccepted != 1 || s.Sessions.HandshakesSent != 0 {
		t.Errorf("PINGs both ways took %d handshakes of geth's and %d of ours; want 1, 0", s.Sessions.HandshakesAccepted, s.Sessions.HandshakesSent)
	}
	if got := s.MessagesReceived[codec.PingType]; got != 2 {
		t.Errorf("%d PINGs arrived, want 2", got)
	}
}

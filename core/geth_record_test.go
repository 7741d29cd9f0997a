package core_test

import (
	"testing"
	"time"

	"github.com/discv5/host/codec"
	"github.com/discv5/host/core"
	"github.com/ethereum/go-ethereum/p2p/discover"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
)

// mark is an entry that tells versions of a record apart.
func mark(version uint64) enr.Entry { return enr.WithEntry("mark", version) }

func hasMark(n *enode.Node, version uint64) bool {
	var v uint64
	return n != nil && n.Load(enr.WithEntry("mark", &v)) == nil && v == version
}

// raise gives one of our nodes a new record.
func raise(t testing.TB, n *core.Node, version uint64) {
	t.Helper()
	before := n.Self().Seq()
	if err := n.SetEntries(t.Context(), mark(version)); err != nil {
		t.Fatal(err)
	}
	if n.Self().Seq() != before+1 {
		t.Fatalf("the new record has seq %d, the old one %d", n.Self().Seq(), before)
	}
}

// raiseGeth gives geth a new record and returns the old one.
func raiseGeth(t testing.TB, g *discover.UDPv5, version uint64) (old *enode.Node) {
	t.Helper()
	old = g.Self()
	g.LocalNode().Set(mark(version))
	if g.Self().Seq() <= old.Seq() {
		t.Fatalf("geth's new record has seq %d, the old one %d", g.Self().Seq(), old.Seq())
	}
	return old
}

// addToGeth puts one of our records into geth's table.
func addToGeth(t testing.TB, g *discover.UDPv5, n *enode.Node) {
	t.Helper()
	if !g.AddKnownNode(n) {
		t.Fatalf("geth's table does not take %v", n)
	}
}

// addToOurs puts geth's record into our table.
func addToOurs(t testing.TB, n *core.Node, geth *enode.Node) {
	t.Helper()
	if result, err := n.Add(geth); err != nil || !result.InTable() {
		t.Fatalf("our table does not take geth: %v, %v", result, err)
	}
}

// Our record changes while geth has a session with us: its next check sees the sequence number in our PONG.
func TestGethChecksAndLearnsOurRecord(t *testing.T) {
	ours := listenOurs(t)
	geth := listenGeth(t, func(c *discover.Config) { c.PingInterval = 100 * time.Millisecond })
	addToGeth(t, geth, ours.Self())
	gethPing(t, geth, ours.Self())
	raise(t, ours, 1)
	eventually(within(t, 20*time.Second), t, "geth has our new record", func() bool { return hasMark(geth.GetNode(ours.ID()), 1) })
	if s := ours.Stats(); s.Sessions.HandshakesAccepted != 1 || s.Sessions.HandshakesSent != 0 || s.MessagesReceived[codec.FindNodeType] == 0 {
		t.Errorf("geth learnt it over %d handshakes of its own and %d of ours, by %d FINDNODEs; want 1, 0 and some",
			s.Sessions.HandshakesAccepted, s.Sessions.HandshakesSent, s.MessagesReceived[codec.FindNodeType])
	}
}

// Geth's record is newer than the one in our table: our first check sees it in geth's PONG.
func TestGethRecordLearntByOurCheck(t *testing.T) {
	ours, geth := listenOurs(t, lively), listenGeth(t)
	addToOurs(t, ours, raiseGeth(t, geth, 1))
	eventually(within(t, 20*time.Second), t, "we have geth's new record", func() bool { return hasMark(ours.Node(geth.Self().ID()), 1) })
	if s := ours.Stats().Sessions; s.HandshakesSent != 1 || s.HandshakesAccepted != 0 {
		t.Errorf("we learnt it over %d handshakes of ours and %d of geth's; want 1, 0", s.HandshakesSent, s.HandshakesAccepted)
	}
}

// Geth's record changes while it has a session with us: its PING tells the sequence number.
func TestGethRecordLearntByItsPing(t *testing.T) {
	ours, geth := listenOurs(t, lively), listenGeth(t)
	addToOurs(t, ours, geth.Self())
	gethPing(t, geth, ours.Self())
	raiseGeth(t, geth, 1)
	if hasMark(ours.Node(geth.Self().ID()), 1) {
		t.Fatal("we have the new record before anybody could tell us")
	}
	gethPing(t, geth, ours.Self())
	eventually(within(t, 20*time.Second), t, "we have geth's new record", func() bool { return hasMark(ours.Node(geth.Self().ID()), 1) })
}

// Geth's record changes before it opens a session: our WHOAREYOU names the old one, so the handshake brings the new.
func TestGethRecordLearntFromHandshake(t *testing.T) {
	ours, geth := listenOurs(t), listenGeth(t)
	addToOurs(t, ours, raiseGeth(t, geth, 1))
	gethPing(t, geth, ours.Self())
	if n := ours.Node(geth.Self().ID()); !hasMark(n, 1) {
		t.Errorf("our table has %v", n)
	}
	if sent := ours.Stats().MessagesSent[codec.FindNodeType]; sent != 0 {
		t.Errorf("we asked for it %d times", sent)
	}
}

// Our record changes before we open a session: geth's WHOAREYOU names the old one, so our handshake brings the new.
func TestGethLearnsOurRecordFromHandshake(t *testing.T) {
	ours, geth := listenOurs(t), listenGeth(t)
	waitForGeth(t, geth)
	addToGeth(t, geth, ours.Self())
	raise(t, ours, 1)
	ping(t, ours, geth.Self())
	if n := geth.GetNode(ours.ID()); !hasMark(n, 1) {
		t.Errorf("geth's table has %v", n)
	}
	if s := ours.Stats(); s.MessagesReceived[codec.FindNodeType] != 0 || s.Sessions.HandshakesAccepted != 0 {
		t.Errorf("geth asked for it %d times, over %d handshakes of its own", s.MessagesReceived[codec.FindNodeType], s.Sessions.HandshakesAccepted)
	}
}

// waitForGeth waits until geth's first refresh is over: from then on its table takes nodes that open a session.
func waitForGeth(t testing.TB, geth *discover.UDPv5) {
	t.Helper()
	scout := listenOurs(t)
	eventually(within(t, 10*time.Second), t, "geth's table takes a stranger", func() bool {
		scout.EndSession(geth.Self().ID(), addrOf(geth.Self()))
		ping(t, scout, geth.Self())
		return geth.GetNode(scout.ID()) != nil
	})
}

// Both records change again and again: each side ends up with the other's last one.
func TestGethRecordsChangeOften(t *testing.T) {
	ours := listenOurs(t, lively)
	geth := listenGeth(t, func(c *discover.Config) { c.PingInterval = 50 * time.Millisecond })
	waitForGeth(t, geth)
	gethPing(t, geth, ours.Self())
	addToGeth(t, geth, ours.Self())
	addToOurs(t, ours, geth.Self())
	const last = 20
	for v := range uint64(last + 1) {
		raise(t, ours, v)
		raiseGeth(t, geth, v)
		gethPing(t, geth, ours.Self())
	}
	ctx := within(t, 20*time.Second)
	eventually(ctx, t, "geth has our last record", func() bool { return hasMark(geth.GetNode(ours.ID()), last) })
	eventually(ctx, t, "we have geth's last record", func() bool { return hasMark(ours.Node(geth.Self().ID()), last) })
}

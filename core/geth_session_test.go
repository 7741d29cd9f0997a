package core_test

import (
	"crypto/ecdsa"
	"sync"
	"testing"
	"time"

	"github.com/discv5/host/core"
	"github.com/ethereum/go-ethereum/p2p/discover"
)

// pair is one of our nodes and geth with a session between them, and what it takes to start either again.
type pair struct {
	ours             *core.Node
	geth             *discover.UDPv5
	oursKey, gethKey *ecdsa.PrivateKey
}

func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{oursKey: newKey(t), gethKey: newKey(t)}
	p.ours, p.geth = listenOurs(t, at(p.oursKey, loopback4)), listenGethAt(t, p.gethKey, loopback4)
	letEcho(t, p.ours, p.geth)
	ping(t, p.ours, p.geth.Self())
	gethPing(t, p.geth, p.ours.Self())
	return p
}

// restartOurs starts our node again with the same key and port.
func (p *pair) restartOurs(t *testing.T) {
	t.Helper()
	addr := p.ours.LocalAddrs()[0]
	if err := p.ours.Close(); err != nil {
		t.Fatal(err)
	}
	p.ours = listenOurs(t, at(p.oursKey, addr))
	letOursEcho(t, p.ours, p.geth.Self())
	letGethEcho(t, p.geth, p.ours)
}

// restartGeth starts geth again with the same key and port.
func (p *pair) restartGeth(t *testing.T) {
	t.Helper()
	addr := addrOf(p.geth.Self())
	p.geth.Close()
	p.geth = listenGethAt(t, p.gethKey, addr)
	letGethEcho(t, p.geth, p.ours)
}

func TestGethRecoversFromOurRestart(t *testing.T) {
	p := newPair(t)
	p.restartOurs(t)
	gethPing(t, p.geth, p.ours.Self())
	p.restartOurs(t)
	gethTalk(t, p.geth, p.ours.Self(), []byte("hi"))
}

func TestGethRestarts(t *testing.T) {
	p := newPair(t)
	p.restartGeth(t)
	ping(t, p.ours, p.geth.Self())
	p.restartGeth(t)
	talk(t, p.ours, p.geth.Self(), payloadOf(largest))
	if s := p.ours.Stats(); s.Sessions.HandshakesSent != 3 || s.Sessions.HandshakesAccepted != 0 {
		t.Errorf("it took %d handshakes of ours and %d of geth's; want 3, 0", s.Sessions.HandshakesSent, s.Sessions.HandshakesAccepted)
	}
}

// The largest request meets the loss of keys, beside a record of 300 bytes for a geth that has forgotten it.
func TestGethRestartsWithoutOurFullRecord(t *testing.T) {
	p := newPair(t)
	pad(t, p.ours)
	p.restartGeth(t)
	talk(t, p.ours, p.geth.Self(), payloadOf(largest))
}

// The side that was restarted speaks first, to one that still has the old keys.
func TestGethHearsFromOursRestarted(t *testing.T) {
	p := newPair(t)
	p.restartOurs(t)
	ping(t, p.ours, p.geth.Self())
	gethPing(t, p.geth, p.ours.Self())
}

func TestGethSpeaksFirstAfterRestart(t *testing.T) {
	p := newPair(t)
	p.restartGeth(t)
	gethPing(t, p.geth, p.ours.Self())
	ping(t, p.ours, p.geth.Self())
	if s := p.ours.Stats().Sessions; s.HandshakesSent != 1 || s.HandshakesAccepted != 1 {
		t.Errorf("it took %d handshakes of ours and %d of geth's; want 1, 1", s.HandshakesSent, s.HandshakesAccepted)
	}
}

// Many requests are out when the keys are lost.
func TestGethRestartsUnderManyRequests(t *testing.T) {
	p := newPair(t)
	p.restartGeth(t)
	ctx := within(t, 10*time.Second)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			if err := ourEcho(ctx, p.ours, p.geth.Self(), i); err != nil {
				t.Errorf("request %d: %v", i, err)
			}
		})
	}
	all.Wait()
}

// Both sides open a session in the same instant. Geth keeps one set of keys, the last that it heard of, so that it may not
// be able to read the answer to its first request. All others are answered: we seal with the keys that it uses.
func TestGethAndWeOpenTogether(t *testing.T) {
	const rounds = 6
	geth := listenGeth(t, func(c *discover.Config) { c.V5RespTimeout = time.Second })
	ctx := within(t, 30*time.Second)
	var ourLosses, gethLosses int
	for range rounds {
		ours := listenOurs(t)
		var both sync.WaitGroup
		both.Go(func() {
			if _, err := ours.Ping(ctx, geth.Self()); err != nil {
				ourLosses++
			}
		})
		if _, err := geth.Ping(ours.Self()); err != nil {
			gethLosses++
		}
		both.Wait()
		if _, err := geth.Ping(ours.Self()); err != nil {
			t.Error("geth's second PING:", err)
		}
		if _, err := ours.Ping(ctx, geth.Self()); err != nil {
			t.Error("our second PING:", err)
		}
	}
	t.Logf("of %d rounds, %d of our PINGs and %d of geth's were lost", rounds, ourLosses, gethLosses)
	if ourLosses > 0 {
		t.Errorf("%d of our PINGs were lost", ourLosses)
	}
}

package fleet

import (
	"context"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/discv5/host/core"
	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
	"google.golang.org/protobuf/proto"
)

// The host, its plugin and the server are killed at random moments while everything changes: the sequence number of the local record
// never repeats or goes back, an older record never replaces a newer one, and the store opens every time.
func TestKilledAtRandom(t *testing.T) {
	kills := number(t, "FLEET_KILLS", 10)
	backends(t, false, func(t *testing.T, b *backend) {
		k := newKilling(t, b)
		for round := range kills {
			k.round(round)
		}
		k.settle()
	})
}

// killing is a host that is killed, and what is known of it.
type killing struct {
	t     *testing.T
	b     *backend
	spec  spec
	peers []*core.Node
	child *child

	records map[uint64]string   // what the host has published, by sequence number
	newest  uint64              // of it
	stored  map[enode.ID]uint64 // the newest record of a peer that was in the store
	crashes int                 // of the plugin, since the host's start: it is not started for ever
	count   [3]int              // kills of host, plugin, server

	stop chan struct{}
	busy sync.WaitGroup
}

func newKilling(t *testing.T, b *backend) *killing {
	k := &killing{t: t, b: b, records: make(map[uint64]string), stored: make(map[enode.ID]uint64), stop: make(chan struct{})}
	key := newKey(t)
	k.spec = spec{Dir: t.TempDir(), Run: folder(t), Key: hex.EncodeToString(crypto.FromECDSA(key)), First: true, Backend: *b}
	for range 12 {
		p := peer(t)
		k.peers = append(k.peers, p)
		k.spec.Peers = append(k.spec.Peers, p.Self().String())
	}
	k.start()
	for _, p := range k.peers {
		k.busy.Go(func() { k.change(p) })
	}
	t.Cleanup(func() {
		k.quiet()
		k.child.kill()
	})
	return k
}

func (k *killing) start() {
	k.child, k.crashes = startChild(k.t, k.spec), 0
	k.spec.First = false
}

// change changes the record of a peer again and again, and has the host learn of it.
func (k *killing) change(p *core.Node) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i := uint(1); ; i++ {
		select {
		case <-k.stop:
			return
		case <-tick.C:
		}
		if err := p.SetFields(context.Background(), "operator", map[string]any{"i": i}); err != nil {
			k.t.Error(err)
			return
		}
		k.ping(p)
	}
}

// ping tells the host of a peer's newest record; it may be dead.
func (k *killing) ping(p *core.Node) {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if n := k.child.self(); n != nil {
		_, _ = p.Ping(ctx, n)
	}
}

// quiet ends the changes.
func (k *killing) quiet() {
	select {
	case <-k.stop:
	default:
		close(k.stop)
	}
	k.busy.Wait()
}

func (k *killing) round(number int) {
	k.t.Helper()
	timer := time.NewTimer(time.Duration(20+rand.IntN(600)) * time.Millisecond)
	<-timer.C
	victim := rand.IntN(3)
	if victim == 2 && k.b.server == nil {
		victim = rand.IntN(2)
	}
	if victim == 1 && k.crashes >= 3 {
		victim = 0
	}
	k.count[victim]++
	switch victim {
	case 0:
		k.child.kill()
		k.look()
		k.store()
		k.restart()
	case 1:
		k.crashes++
		k.child.killPlugin()
		k.look()
	case 2:
		k.b.server.Kill()
		k.look()
		k.b.server.Start()
		k.store()
	}
	if k.t.Failed() {
		k.t.Fatalf("in round %d, after kills of host, plugin and server: %v", number, k.count)
	}
}

// restart starts the host again, without a word to the peers' goroutines, which use what is there.
func (k *killing) restart() {
	k.quietly(k.start)
}

// quietly does something while nothing changes.
func (k *killing) quietly(do func()) {
	k.quiet()
	do()
	k.stop = make(chan struct{})
	for _, p := range k.peers {
		k.busy.Go(func() { k.change(p) })
	}
}

// look checks what the host has published.
func (k *killing) look() {
	k.t.Helper()
	for _, n := range k.child.published() {
		before, known := k.records[n.Seq()]
		if known && before != n.String() {
			k.t.Errorf("the host has published two records with the sequence number %d", n.Seq())
		}
		if n.Seq() < k.newest {
			k.t.Errorf("the sequence number of the host went from %d back to %d", k.newest, n.Seq())
		}
		k.records[n.Seq()], k.newest = n.String(), max(k.newest, n.Seq())
	}
}

// store checks what is in the store: nothing older than before, and what belongs there.
func (k *killing) store() {
	k.t.Helper()
	s := k.b.open(k.t, k.spec.Dir)
	defer s.Close()
	keys := make([][]byte, len(k.peers))
	for i, p := range k.peers {
		keys[i] = []byte("node/" + p.ID().String())
	}
	var found []core.Entry
	within(k.t, 10*time.Second, "the store can be read", func() (err error) {
		found, err = s.Get(context.Background(), keys)
		return err
	})
	for _, e := range found {
		n, err := recordOf(e)
		switch {
		case err != nil:
			k.t.Errorf("%s: %v", e.Key, err)
			continue
		case n.Seq() != e.Version:
			k.t.Errorf("%s: the record %d is stored as version %d", e.Key, n.Seq(), e.Version)
		case e.Version < k.stored[n.ID()]:
			k.t.Errorf("%s: the record %d has replaced %d", e.Key, e.Version, k.stored[n.ID()])
		}
		k.stored[n.ID()] = e.Version
	}
	for id := range k.stored {
		if len(found) < len(k.stored) {
			k.t.Errorf("%d of %d records are in the store, %s was among them", len(found), len(k.stored), id.TerminalString())
		}
	}
}

func recordOf(e core.Entry) (*enode.Node, error) {
	var m pluginpb.StoredNode
	if err := proto.Unmarshal(e.Value, &m); err != nil {
		return nil, err
	}
	var r enr.Record
	if err := rlp.DecodeBytes(m.GetRecord(), &r); err != nil {
		return nil, err
	}
	n, err := enode.New(enode.ValidSchemes, &r)
	if err == nil && string(e.Key) != "node/"+n.ID().String() {
		err = fmt.Errorf("it is the record of %s", n.ID())
	}
	return n, err
}

// settle checks that the host catches up when nobody is killed any more.
func (k *killing) settle() {
	k.t.Helper()
	k.quiet()
	k.child.quiet(k.t)
	sum := uint64(0)
	for _, p := range k.peers {
		sum += p.Self().Seq()
	}
	want := fmt.Sprint("has ", sum)
	within(k.t, 90*time.Second, "everything is written", func() error {
		for _, p := range k.peers {
			k.ping(p)
		}
		if got := k.child.store(); got != want {
			return fmt.Errorf("the host %s, and it should be %s", got, want)
		}
		return nil
	})
	k.look()
	k.child.kill()
	k.store()
	for _, p := range k.peers {
		if got, want := k.stored[p.ID()], p.Self().Seq(); got != want {
			k.t.Errorf("the store has the record %d of a peer, not %d", got, want)
		}
	}
	k.t.Logf("killed: host %d times, plugin %d, server %d; the host's record went to %d, records of %d peers are stored", k.count[0], k.count[1], k.count[2], k.newest, len(k.stored))
}

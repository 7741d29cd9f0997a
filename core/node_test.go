package core

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/hashicorp/go-hclog"
)

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// listen starts a node on a free loopback port and closes it when the test ends.
func listen(t testing.TB, adjust ...func(*Config)) *Node {
	t.Helper()
	cfg := Config{PrivateKey: newKey(t), Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}, NewKey: true}
	if testing.Verbose() {
		cfg.Logger = hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: t.Output()})
	}
	for _, f := range adjust {
		f(&cfg)
	}
	n, err := Listen(cfg)
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

func TestTwoNodesTalk(t *testing.T) {
	a, b := listen(t), listen(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := b.Handle("echo", TalkFunc(func(_ context.Context, r TalkRequest) ([]byte, error) {
		if r.Node == nil || r.Node.ID() != a.ID() {
			return nil, errors.New("request without the record of the peer")
		}
		return r.Payload, nil
	})); err != nil {
		t.Fatal(err)
	}
	pong, err := a.Ping(ctx, b.Self())
	if err != nil {
		t.Fatal(err)
	}
	if pong.Recipient != a.LocalAddrs()[0] || pong.ENRSeq != 1 {
		t.Errorf("PONG says %v, seq %d; we are %v, and its seq is 1", pong.Recipient, pong.ENRSeq, a.LocalAddrs()[0])
	}
	nodes, err := a.FindNode(ctx, b.Self(), []uint{0})
	if err != nil || len(nodes) != 1 || nodes[0].ID() != b.ID() {
		t.Errorf("FINDNODE 0 gave %v, %v; want the node itself", nodes, err)
	}
	answer, err := a.Talk(ctx, b.Self(), "echo", []byte("hi"))
	if err != nil || string(answer) != "hi" {
		t.Errorf("TALKREQ gave %q, %v", answer, err)
	}
	answer, err = a.Talk(ctx, b.Self(), "nobody", []byte("hi"))
	if err != nil || len(answer) != 0 {
		t.Errorf("TALKREQ of an unknown protocol gave %q, %v; want an empty answer", answer, err)
	}
}

func TestSmallNetworkForms(t *testing.T) {
	boot := listen(t)
	nodes := []*Node{boot}
	for range 9 {
		nodes = append(nodes, listen(t, func(c *Config) { c.Bootnodes = []*enode.Node{boot.Self()} }))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for _, n := range nodes {
		for {
			events, err := n.Events(64)
			if err != nil {
				t.Fatal(err)
			}
			_, verified := n.Len()
			if verified >= len(nodes)-1 {
				events.Close()
				break
			}
			select {
			case <-events.C:
			case <-ctx.Done():
				t.Fatalf("%v knows %d nodes, verified", n.ID(), verified)
			}
			events.Close()
		}
	}
	target := nodes[7]
	found, err := nodes[3].Lookup(ctx, target.ID())
	if err != nil || !slices.ContainsFunc(found, func(n *enode.Node) bool { return n.ID() == target.ID() }) {
		t.Errorf("lookup of a member gave %d nodes without it, %v", len(found), err)
	}
}

package core_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/discv5/host/core"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
)

// A node is asked where the caller says, whatever its record says.
func TestFindNodeAt(t *testing.T) {
	alice := start()
	defer alice.Close()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	bob, err := core.Listen(core.Config{PrivateKey: key, NewKey: true, Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}})
	if err != nil {
		t.Fatal(err)
	}
	defer bob.Close()
	var r enr.Record // of bob, and without an address
	if err := enode.SignV4(&r, key); err != nil {
		t.Fatal(err)
	}
	bare, err := enode.New(enode.ValidSchemes, &r)
	if err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if _, err := alice.FindNode(ctx, bare, []uint{0}); !errors.Is(err, core.ErrNoAddress) {
		t.Errorf("without an address: %v", err)
	}
	nodes, rtt, err := alice.FindNodeAt(ctx, bare, bob.LocalAddrs()[0], []uint{0})
	if err != nil || len(nodes) != 1 || nodes[0].ID() != bob.ID() || rtt <= 0 {
		t.Errorf("%v after %v, error %v; want bob's record", nodes, rtt, err)
	}
	if _, _, err := alice.FindNodeAt(ctx, bare, bob.LocalAddrs()[0], []uint{257}); err == nil {
		t.Error("distance 257 is accepted")
	}
	if _, _, err := alice.FindNodeAt(ctx, nil, bob.LocalAddrs()[0], nil); !errors.Is(err, core.ErrNoNode) {
		t.Errorf("a nil node: %v", err)
	}
	if _, _, err := alice.FindNodeAt(ctx, bare, netip.AddrPort{}, nil); !errors.Is(err, core.ErrNoAddress) {
		t.Errorf("no address: %v", err)
	}
	if _, _, err := alice.FindNodeAt(ctx, alice.Self(), alice.LocalAddrs()[0], nil); !errors.Is(err, core.ErrSelf) {
		t.Errorf("itself: %v", err)
	}
}

package core_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"
	"time"

	"github.com/discv5/host/core"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// start starts a node on a free loopback port.
func start(bootnodes ...*enode.Node) *core.Node {
	key, err := crypto.GenerateKey()
	if err != nil {
		log.Fatal(err)
	}
	n, err := core.Listen(core.Config{
		PrivateKey: key,
		NewKey:     true,
		Listen:     []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")},
		Bootnodes:  bootnodes,
	})
	if err != nil {
		log.Fatal(err)
	}
	return n
}

// Two nodes talk over a protocol of their own.
func Example() {
	alice, bob := start(), start()
	defer alice.Close()
	defer bob.Close()

	remove, err := bob.Handle("greet", core.TalkFunc(func(_ context.Context, r core.TalkRequest) ([]byte, error) {
		return append([]byte("hello, "), r.Payload...), nil
	}))
	if err != nil {
		log.Fatal(err)
	}
	defer remove()

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	answer, err := alice.Talk(ctx, bob.Self(), "greet", []byte("bob"))
	fmt.Println(string(answer), err)
	// Output: hello, bob <nil>
}

// A lookup finds the record of a node by its id alone.
func ExampleNode_Resolve() {
	boot := start()
	defer boot.Close()
	alice, bob := start(boot.Self()), start(boot.Self())
	defer alice.Close()
	defer bob.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	events, err := boot.Events(64)
	if err != nil {
		log.Fatal(err)
	}
	defer events.Close()
	for _, verified := boot.Len(); verified < 2; _, verified = boot.Len() { // until the bootstrap node has checked both
		select {
		case <-events.C:
		case <-ctx.Done():
			log.Fatal(ctx.Err())
		}
	}
	found, err := alice.Resolve(ctx, bob.ID())
	fmt.Println(found.ID() == bob.ID(), err)
	// Output: true <nil>
}

package core_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/discv5/host/codec"
	"github.com/discv5/host/core"
	"github.com/ethereum/go-ethereum/p2p/discover"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

const echoProtocol = "echo"

// letEcho makes both sides serve the echo protocol, and check who asks.
func letEcho(t *testing.T, ours *core.Node, geth *discover.UDPv5) {
	t.Helper()
	letOursEcho(t, ours, geth.Self())
	letGethEcho(t, geth, ours)
}

func letOursEcho(t *testing.T, ours *core.Node, geth *enode.Node) {
	t.Helper()
	_, err := ours.Handle(echoProtocol, core.TalkFunc(func(_ context.Context, r core.TalkRequest) ([]byte, error) {
		if r.ID != geth.ID() || r.Addr != addrOf(geth) || r.Node == nil || r.Node.ID() != geth.ID() {
			t.Errorf("request is said to be of %v at %v, record %v; it is of %v", r.ID, r.Addr, r.Node, geth)
		}
		return r.Payload, nil
	}))
	if err != nil {
		t.Fatal(err)
	}
}

func letGethEcho(t *testing.T, geth *discover.UDPv5, ours *core.Node) {
	geth.RegisterTalkHandler(echoProtocol, func(n *enode.Node, addr *net.UDPAddr, payload []byte) []byte {
		if n.ID() != ours.ID() || n.Seq() != ours.Self().Seq() || addr.AddrPort() != ours.LocalAddrs()[0] {
			t.Errorf("geth takes a request to be of %v at %v; it is of %v", n, addr, ours.Self())
		}
		return payload
	})
}

// payloadOf returns bytes that differ along their way.
func payloadOf(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i*7 + i/256)
	}
	return b
}

// talk lets ours ask geth for an echo.
func talk(t testing.TB, ours *core.Node, geth *enode.Node, payload []byte) {
	t.Helper()
	answer, err := ours.Talk(within(t, 10*time.Second), geth, echoProtocol, payload)
	if err != nil || !bytes.Equal(answer, payload) {
		t.Fatalf("TALKREQ of %d bytes gave %d bytes, %v; want an echo", len(payload), len(answer), err)
	}
}

// gethTalk lets geth ask ours for an echo.
func gethTalk(t testing.TB, geth *discover.UDPv5, ours *enode.Node, payload []byte) {
	t.Helper()
	answer, err := geth.TalkRequest(ours, echoProtocol, payload)
	if err != nil || !bytes.Equal(answer, payload) {
		t.Fatalf("geth's TALKREQ of %d bytes gave %d bytes, %v; want an echo", len(payload), len(answer), err)
	}
}

func TestGethAnswersTalk(t *testing.T) {
	ours, geth := listenOurs(t), listenGeth(t)
	letEcho(t, ours, geth)
	talk(t, ours, geth.Self(), []byte("hi"))
	talk(t, ours, geth.Self(), []byte{})
	answer, err := ours.Talk(within(t, 10*time.Second), geth.Self(), "nobody", []byte("hi"))
	if err != nil || answer == nil || len(answer) != 0 {
		t.Errorf("TALKREQ of an unknown protocol gave %q, %v; want an empty answer", answer, err)
	}
}

func TestGethTalk(t *testing.T) {
	ours, geth := listenOurs(t), listenGeth(t)
	letEcho(t, ours, geth)
	gethTalk(t, geth, ours.Self(), []byte("hi"))
	gethTalk(t, geth, ours.Self(), nil)
	answer, err := geth.TalkRequest(ours.Self(), "nobody", []byte("hi"))
	if err != nil || len(answer) != 0 {
		t.Errorf("geth's TALKREQ of an unknown protocol gave %q, %v; want an empty answer", answer, err)
	}
}

// largest is the longest payload that fits a packet beside the name of the echo protocol.
var largest = codec.MaxTalkRequest([]byte(echoProtocol))

// The largest payload is the first thing that geth hears of us, and our record the largest there is.
func TestGethAnswersLargestTalkAtFirstContact(t *testing.T) {
	if want := 1176 - len(echoProtocol); largest != want {
		t.Fatalf("the largest payload is %d, want %d", largest, want)
	}
	ours, geth := listenOurs(t), listenGeth(t)
	pad(t, ours)
	letEcho(t, ours, geth)
	talk(t, ours, geth.Self(), payloadOf(largest))
	if s := ours.Stats().Sessions; s.HandshakesSent != 1 {
		t.Errorf("that took %d handshakes, want 1", s.HandshakesSent)
	}
	if _, err := ours.Talk(t.Context(), geth.Self(), echoProtocol, payloadOf(largest+1)); !errors.Is(err, core.ErrTooLarge) {
		t.Errorf("one byte more gave %v, want ErrTooLarge", err)
	}
}

// Every size of which some fit a handshake packet and others do not.
func TestGethAnswersTalkOfEverySizeAtFirstContact(t *testing.T) {
	geth := listenGeth(t)
	geth.RegisterTalkHandler(echoProtocol, func(_ *enode.Node, _ *net.UDPAddr, payload []byte) []byte { return payload })
	for _, size := range []int{1, 700, 800, 810, 820, 830, 840, 850, 1000, largest - 1, largest} {
		ours := listenOurs(t)
		pad(t, ours)
		talk(t, ours, geth.Self(), payloadOf(size))
	}
}

func TestGethLargestTalk(t *testing.T) {
	ours, geth := listenOurs(t), listenGeth(t)
	letEcho(t, ours, geth)
	gethPing(t, geth, ours.Self())
	gethTalk(t, geth, ours.Self(), payloadOf(largest))
}

// Geth puts a first request into the handshake packet whatever its size. One beyond 1280 bytes never arrives whole; we drop
// it, and geth reaches us again as soon as our challenge is out of time.
func TestGethOversizedFirstContact(t *testing.T) {
	ours := listenOurs(t, func(c *core.Config) { c.ChallengeTimeout = 200 * time.Millisecond })
	geth := listenGeth(t, func(c *discover.Config) { c.V5RespTimeout = 500 * time.Millisecond })
	letEcho(t, ours, geth)
	if _, err := geth.TalkRequest(ours.Self(), echoProtocol, payloadOf(largest)); err == nil {
		t.Error("geth got an answer to a packet beyond the maximum size")
	}
	if got := ours.Stats().Oversized; got != 1 {
		t.Errorf("%d oversized packets counted, want 1", got)
	}
	eventually(within(t, 10*time.Second), t, "geth reaches us", func() bool {
		_, err := geth.Ping(ours.Self())
		return err == nil
	})
	gethTalk(t, geth, ours.Self(), payloadOf(largest))
}

// requests is how many requests one node sends to another at a time.
const requests = 50

// together runs f so many times at once and reports the errors.
func together(t *testing.T, what string, f func(i int) error) {
	t.Helper()
	var all sync.WaitGroup
	errs := make([]error, requests)
	for i := range requests {
		all.Go(func() { errs[i] = f(i) })
	}
	all.Wait()
	for i, err := range errs {
		if err != nil {
			t.Errorf("%s, request %d: %v", what, i, err)
		}
	}
}

func ourEcho(ctx context.Context, ours *core.Node, geth *enode.Node, i int) error {
	payload := payloadOf(10 * i)
	answer, err := ours.Talk(ctx, geth, echoProtocol, payload)
	if err == nil && !bytes.Equal(answer, payload) {
		err = errors.New("answer to something else")
	}
	return err
}

func gethEcho(geth *discover.UDPv5, ours *enode.Node, i int) error {
	payload := payloadOf(10 * i)
	answer, err := geth.TalkRequest(ours, echoProtocol, payload)
	if err == nil && !bytes.Equal(answer, payload) {
		err = errors.New("answer to something else")
	}
	return err
}

func TestGethAnswersManyAtOnce(t *testing.T) {
	ours, geth := listenOurs(t), listenGeth(t)
	letEcho(t, ours, geth)
	ping(t, ours, geth.Self())
	ctx := within(t, 10*time.Second)
	together(t, "ours", func(i int) error { return ourEcho(ctx, ours, geth.Self(), i) })
	if s := ours.Stats(); s.Sessions.HandshakesSent != 1 || s.Calls != 0 {
		t.Errorf("it took %d handshakes, want 1, and left %d calls", s.Sessions.HandshakesSent, s.Calls)
	}
}

func TestGethManyAtOnce(t *testing.T) {
	ours, geth := listenOurs(t), listenGeth(t)
	letEcho(t, ours, geth)
	together(t, "geth", func(i int) error { return gethEcho(geth, ours.Self(), i) })
	if s := ours.Stats().Sessions; s.HandshakesAccepted != 1 {
		t.Errorf("it took %d handshakes, want 1", s.HandshakesAccepted)
	}
}

func TestGethManyAtOnceBothWays(t *testing.T) {
	ours, geth := listenOurs(t), listenGeth(t)
	letEcho(t, ours, geth)
	ping(t, ours, geth.Self())
	ctx := within(t, 10*time.Second)
	together(t, "both", func(i int) error {
		if i%2 == 0 {
			return ourEcho(ctx, ours, geth.Self(), i)
		}
		return gethEcho(geth, ours.Self(), i)
	})
}

// Without a session, what the queue behind the handshake holds is served, and the rest is refused at once.
func TestGethAnswersManyAtFirstContact(t *testing.T) {
	ours, geth := listenOurs(t), listenGeth(t)
	letEcho(t, ours, geth)
	ctx := within(t, 10*time.Second)
	served := make([]bool, requests)
	together(t, "ours", func(i int) error {
		err := ourEcho(ctx, ours, geth.Self(), i)
		served[i] = err == nil
		if errors.Is(err, core.ErrBusy) {
			return nil
		}
		return err
	})
	count := 0
	for _, ok := range served {
		if ok {
			count++
		}
	}
	if count < 9 {
		t.Errorf("%d requests were served, want one and the eight behind it at least", count)
	}
}

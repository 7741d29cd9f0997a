package cli

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
)

// nodeAt signs a record with addresses, at most one of each family.
func nodeAt(t *testing.T, addrs ...string) *enode.Node {
	t.Helper()
	var r enr.Record
	for _, a := range addrs {
		at := netip.MustParseAddr(a)
		if at.Is4() {
			r.Set(enr.IPv4Addr(at))
			r.Set(enr.UDP(9000))
		} else {
			r.Set(enr.IPv6Addr(at))
			r.Set(enr.UDP6(9000))
		}
	}
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	if err := enode.SignV4(&r, key); err != nil {
		t.Fatal(err)
	}
	n, err := enode.New(enode.ValidSchemes, &r)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestListenFor(t *testing.T) {
	for _, tt := range []struct {
		name  string
		peers [][]string
		want  string
	}{
		{"nobody", nil, "[0.0.0.0:0]"},
		{"a record without address", [][]string{{}}, "[0.0.0.0:0]"},
		{"this machine", [][]string{{"127.0.0.1"}}, "[127.0.0.1:0]"},
		{"this machine, IPv6", [][]string{{"::1"}}, "[[::1]:0]"},
		{"this machine twice", [][]string{{"127.0.0.1"}, {"::1"}}, "[127.0.0.1:0 [::1]:0]"},
		{"IPv4", [][]string{{"192.0.2.1"}}, "[0.0.0.0:0]"},
		{"IPv6", [][]string{{"2001:db8::1"}}, "[[::]:0]"},
		{"IPv4 before IPv6", [][]string{{"192.0.2.1", "2001:db8::1"}}, "[0.0.0.0:0]"},
		{"one of each", [][]string{{"192.0.2.1"}, {"2001:db8::1"}}, "[0.0.0.0:0 [::]:0]"},
		{"here and elsewhere", [][]string{{"127.0.0.1"}, {"192.0.2.1"}}, "[0.0.0.0:0]"},
	} {
		var peers []*enode.Node
		for _, addrs := range tt.peers {
			peers = append(peers, nodeAt(t, addrs...))
		}
		if got := fmt.Sprint(listenFor(peers)); got != tt.want {
			t.Errorf("%s: listen on %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestRound(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 999: "999ns", 23_456: "23.5µs", 1_234_567: "1.23ms", 999_999: "1ms", 1_234_567_890: "1.23s",
	} {
		if got := round(d).String(); got != want {
			t.Errorf("%d ns is shown as %s, want %s", d, got, want)
		}
	}
}

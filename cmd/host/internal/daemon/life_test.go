package daemon

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"github.com/discv5/host/cmd/host/internal/config"
	"github.com/discv5/host/core"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/hashicorp/go-hclog"
)

// listen starts a node on loopback.
func listenLocal(t *testing.T, bootnodes ...*enode.Node) *core.Node {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	n, err := core.Listen(core.Config{
		PrivateKey: key, NewKey: true, Bootnodes: bootnodes,
		Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")},
	})
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

func logTo(w *bytes.Buffer, level hclog.Level) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{Output: w, Level: level, DisableTime: true})
}

func TestLifeTellsTurnsOnce(t *testing.T) {
	var out bytes.Buffer
	l := newLife(listenLocal(t), logTo(&out, hclog.Info), 2)
	expect := func(what string, want ...string) {
		t.Helper()
		got := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		out.Reset()
		if len(want) == 0 {
			want = []string{""}
		}
		if len(got) != len(want) {
			t.Fatalf("%s logs %q, want %q", what, got, want)
		}
		for i := range want {
			if !strings.Contains(got[i], want[i]) {
				t.Errorf("%s logs %q, want %q", what, got[i], want[i])
			}
		}
	}
	verified := core.Event{Type: core.NodeVerified, Addr: netip.MustParseAddrPort("192.0.2.1:9000")}

	l.report(2, 0, 0)
	expect("a start that nobody answers", "status: nodes=2 verified=0 sessions=0", "[WARN]  no bootnode answers")
	l.event(verified)
	expect("the first answer", "first node answered")
	l.event(verified)
	l.event(core.Event{Type: core.SessionUp})
	l.event(core.Event{Type: core.NodeAdded})
	expect("what single peers do")
	l.report(5, 3, 7)
	expect("the status", "status: nodes=5 verified=3 sessions=7")
	l.report(5, 0, 7)
	expect("the loss of all", "status: ", "[WARN]  no node answers any more")
	l.event(verified)
	expect("the first answer after it", "first node answered")
	l.event(core.Event{Type: core.ReachabilityChanged, Detail: "reachable"})
	expect("reachability", "reachability changed: state=reachable")
}

func TestLifeDebug(t *testing.T) {
	var out bytes.Buffer
	l := newLife(listenLocal(t), logTo(&out, hclog.Debug), 0)
	l.event(core.Event{Type: core.SessionUp})
	if !strings.Contains(out.String(), "[DEBUG] session_up") {
		t.Errorf("at debug level a session is logged as %q", out.String())
	}
	out.Reset()
	l.report(0, 0, 0)
	if strings.Contains(out.String(), "WARN") {
		t.Errorf("a node without bootnodes is warned of silence: %q", out.String())
	}
}

func TestStartedTellsWhatIsMissing(t *testing.T) {
	var out bytes.Buffer
	newLife(listenLocal(t), logTo(&out, hclog.Info), 0).started(&config.Config{Network: "none"}, &identity{created: true, keyPath: "dir/key"})
	for _, want := range []string{"made a key, the identity of this node: file=dir/key", "node started: ", "no network to join"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in the log of a start:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "names no address") {
		t.Errorf("a record with an address counts as one without:\n%s", out.String())
	}
}

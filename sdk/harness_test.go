package sdk

import (
	"context"
	"crypto/ecdsa"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

// served is a plugin served over a unix socket, as its host sees it.
type served struct {
	*instance
	ctx     context.Context // ends with the test
	conn    *grpc.ClientConn
	control pluginpb.PluginClient
}

func echoPlugin() *TalkPlugin {
	return &TalkPlugin{
		Info:      Info{Name: "echo", Version: "1.0.0"},
		Protocols: []string{"echo"},
		Handler:   TalkFunc(func(_ context.Context, r *TalkRequest) ([]byte, error) { return r.Payload, nil }),
	}
}

func serve(tb testing.TB, p Plugin) *served {
	tb.Helper()
	return serveLog(tb, p, hclog.NewNullLogger())
}

func serveLog(tb testing.TB, p Plugin, log hclog.Logger) *served {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		tb.Fatal(err)
	}
	in := newInstance(p, log)
	server := grpc.NewServer(serverOptions()...)
	in.register(server)
	go server.Serve(listener)
	conn, err := grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(pluginpb.MaxMessage), grpc.MaxCallSendMsgSize(pluginpb.MaxMessage)))
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	tb.Cleanup(func() {
		cancel()
		conn.Close()
		server.Stop()
		in.stopWithin(time.Second)
	})
	return &served{instance: in, ctx: ctx, conn: conn, control: pluginpb.NewPluginClient(conn)}
}

// configure configures the plugin and fails the test if it refuses.
func (s *served) configure(tb testing.TB, r *pluginpb.ConfigureRequest) {
	tb.Helper()
	if _, err := s.control.Configure(s.ctx, r); err != nil {
		tb.Fatal("Configure:", err)
	}
}

// within fails the test if f takes too long.
func within(tb testing.TB, what string, c <-chan struct{}) {
	tb.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		tb.Fatal("waited in vain for: ", what)
	}
}

func testKey(tb testing.TB, n byte) *ecdsa.PrivateKey {
	tb.Helper()
	var b [32]byte
	b[0], b[31] = 1, n+1
	key, err := crypto.ToECDSA(b[:])
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// testNode is a node with an endpoint and its record as the wire has it.
func testNode(tb testing.TB, n byte, entries ...enr.Entry) (*enode.Node, []byte) {
	tb.Helper()
	var r enr.Record
	r.SetSeq(uint64(n) + 1)
	r.Set(enr.IPv4{192, 0, 2, n})
	r.Set(enr.UDP(9000))
	for _, e := range entries {
		r.Set(e)
	}
	if err := enode.SignV4(&r, testKey(tb, n)); err != nil {
		tb.Fatal(err)
	}
	node, err := enode.New(enode.ValidSchemes, &r)
	if err != nil {
		tb.Fatal(err)
	}
	raw, err := rlp.EncodeToBytes(&r)
	if err != nil {
		tb.Fatal(err)
	}
	return node, raw
}

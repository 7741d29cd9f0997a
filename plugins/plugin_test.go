//go:build unix

package plugins

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/discv5/host/core"
	"github.com/discv5/host/plugins/builtin/expr"
	"github.com/discv5/host/sdk"
	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

// TestMain doubles as the plugin: the first argument says how it behaves.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if mode, ok := strings.CutPrefix(os.Args[1], "mode="); ok {
			if mode == "host" {
				behaveAsHost(os.Args[2])
			}
			behave(mode)
			os.Exit(0)
		}
	}
	os.Exit(m.Run())
}

// configured is the config block of the plugins under test.
type configured struct {
	Answer string `hcl:"answer,optional"`
	Fail   string `hcl:"fail,optional"`
}

// talker is a plugin of the protocols in its second argument that answers with what f says.
func talker(f func(r *sdk.TalkRequest) ([]byte, error)) *sdk.TalkPlugin {
	return &sdk.TalkPlugin{
		Info:      sdk.Info{Name: "test", Version: "1.2.3"},
		Protocols: strings.Split(os.Args[2], ","),
		Handler:   sdk.TalkFunc(func(_ context.Context, r *sdk.TalkRequest) ([]byte, error) { return f(r) }),
	}
}

func echo(r *sdk.TalkRequest) ([]byte, error) { return r.Payload, nil }

// behave is the program under test.
func behave(mode string) {
	out, errs := os.NewFile(1, "stdout"), os.NewFile(2, "stderr")
	p := talker(echo)
	switch mode {
	case "echo":
	case "answer":
		c := &configured{}
		p.Config = c
		p.Start = func(context.Context, *sdk.Host) error {
			if c.Fail != "" {
				return errors.New(c.Fail)
			}
			return nil
		}
		p.Handler = sdk.TalkFunc(func(context.Context, *sdk.TalkRequest) ([]byte, error) { return []byte(c.Answer), nil })
	case "exclusive":
		p.Info.Exclusive = true
		lock := func(dir string) error { return os.Mkdir(dir+"/lock", 0o700) }
		p.Start = func(_ context.Context, h *sdk.Host) error { dir = h.DataDir(); return lock(dir) }
		p.Drain = func(context.Context) error { return os.Remove(dir + "/lock") }
	case "exclusive with a field":
		p.Info.Exclusive = true
		p.Start = func(ctx context.Context, h *sdk.Host) error {
			_, err := h.SetFields(ctx, enr.WithEntry("mine", []byte("x")))
			return err
		}
	case "metered":
		p.Start = func(_ context.Context, h *sdk.Host) error {
			h.Gauge("temperature", "How warm it is.").Set(36.6)
			return nil
		}
	case "methods":
		withMethods(p)
	case "needy":
		p.Info.Needs = []string{"ping", "talk"}
	case "crash at start":
		fmt.Fprintln(errs, "cannot open the database")
		os.Exit(3)
	case "crash in a call":
		p.Handler = sdk.TalkFunc(func(context.Context, *sdk.TalkRequest) ([]byte, error) {
			fmt.Fprintln(errs, "out of luck")
			os.Exit(4)
			return nil, nil
		})
	case "crash again and again":
		p.Start = func(context.Context, *sdk.Host) error {
			time.AfterFunc(20*time.Millisecond, func() { panic("time is up") })
			return nil
		}
	case "hang in a call":
		p.Handler = sdk.TalkFunc(func(context.Context, *sdk.TalkRequest) ([]byte, error) { select {} })
	case "hang in configure":
		p.Start = func(context.Context, *sdk.Host) error { select {} }
	case "slow in configure":
		p.Start = func(context.Context, *sdk.Host) error { <-time.After(400 * time.Millisecond); return nil }
	case "ignore TERM":
		p.Drain = func(context.Context) error { select {} }
		p.Start = func(context.Context, *sdk.Host) error {
			signal.Reset(syscall.SIGTERM)
			signal.Ignore(syscall.SIGTERM)
			return nil
		}
	case "unwell":
		p.Health = func(context.Context) error { return errors.New("the disk is full") }
	case "degraded":
		p.Health = func(context.Context) error { return sdk.Degraded(errors.New("the disk is nearly full")) }
	case "hang in health":
		p.Health = func(context.Context) error { select {} }
	case "child keeps stderr":
		p.Start = func(context.Context, *sdk.Host) error {
			child := exec.Command("/bin/sleep", "60")
			child.Stderr, child.SysProcAttr = errs, &syscall.SysProcAttr{Setsid: true}
			return child.Start()
		}
	case "10 MB without a newline":
		p.Start = func(context.Context, *sdk.Host) error {
			go func() {
				block := []byte(strings.Repeat("x", 1<<20))
				for range 10 {
					_, _ = errs.Write(block)
				}
				fmt.Fprintln(errs)
				fmt.Fprintln(errs, "done with it")
			}()
			return nil
		}
	case "strange JSON":
		p.Start = func(context.Context, *sdk.Host) error {
			fmt.Fprintln(errs, `{"@message":1}`)
			fmt.Fprintln(errs, `{"@message":{"a":[null]},"@level":["x"],"@timestamp":-1}`)
			return nil
		}
	case "stdout after the handshake":
		p.Start = func(context.Context, *sdk.Host) error {
			go func() {
				_, _ = out.WriteString(strings.Repeat("y", 300<<10) + "\n")
				fmt.Fprintln(out, "1|1|unix|/tmp/elsewhere|grpc|")
				fmt.Fprintln(errs, "still here")
			}()
			return nil
		}
	case "foreign field", "large field":
		key, size := "operator", 4
		if mode == "large field" {
			key, size = "mine", 280
		}
		p.Start = func(ctx context.Context, h *sdk.Host) error {
			go func() {
				_, err := h.SetFields(ctx, enr.WithEntry(key, make([]byte, size)))
				fmt.Fprintln(errs, "owned:", errors.Is(err, sdk.ErrOwned), "too large:", errors.Is(err, sdk.ErrTooLarge))
			}()
			return nil
		}
	case "flood of host calls":
		p.Start = func(ctx context.Context, h *sdk.Host) error {
			var told sync.Once
			for range 300 {
				go func() {
					for ctx.Err() == nil {
						if _, err := h.LookupRandom(ctx); errors.Is(err, sdk.ErrExhausted) {
							told.Do(func() { fmt.Fprintln(errs, "exhausted") })
						}
					}
				}()
			}
			return nil
		}
	case "filter":
		c := &configured{}
		sdk.Serve(&sdk.FilterPlugin{Info: sdk.Info{Name: "filter"}, Config: c, Filter: sdk.FilterFunc(func(n *enode.Node) bool {
			return c.Answer == "" || n.Load(enr.WithEntry(c.Answer, new([]byte))) == nil
		})})
	case "expr":
		sdk.Serve(gated(expr.Plugin(), os.Args[2]))
	case "filter at serve":
		sdk.Serve(&sdk.FilterPlugin{Info: sdk.Info{Name: "filter"}, Stages: []sdk.Stage{sdk.StageServe}, Filter: sdk.FilterFunc(func(*enode.Node) bool { return false })})
	case "store":
		sdk.Serve(&sdk.StorePlugin{Info: sdk.Info{Name: "store", Exclusive: true}, Store: &memory{entries: make(map[string]sdk.Entry)}})
	case "other version":
		serveRaw("echo", 9)
	default:
		serveRaw(mode, pluginpb.ProtocolVersion)
	}
	sdk.Serve(p)
}

var dir string // of the exclusive plugin

// memory is a store.
type memory struct {
	mu      sync.Mutex
	entries map[string]sdk.Entry
}

func (m *memory) Put(_ context.Context, entries []sdk.Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range entries {
		if old, ok := m.entries[string(e.Key)]; !ok || e.Version >= old.Version {
			m.entries[string(e.Key)] = e
		}
	}
	return nil
}

func (m *memory) Get(_ context.Context, keys [][]byte) (found []sdk.Entry, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range keys {
		if e, ok := m.entries[string(key)]; ok {
			found = append(found, e)
		}
	}
	return found, nil
}

func (m *memory) Scan(context.Context, []byte, []byte, int) ([]sdk.Entry, error) { return nil, nil }
func (m *memory) Delete(context.Context, []sdk.Entry) error                      { return nil }

// serveRaw serves a talk plugin that the SDK would not make: it answers as its mode says.
func serveRaw(mode string, version uint) {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: plugin.HandshakeConfig{ProtocolVersion: version, MagicCookieKey: pluginpb.MagicCookieKey, MagicCookieValue: pluginpb.MagicCookieValue},
		Plugins:         plugin.PluginSet{pluginpb.PluginKey: &raw{mode: mode}},
		GRPCServer:      plugin.DefaultGRPCServer,
		Logger:          hclog.NewNullLogger(),
	})
}

type raw struct {
	plugin.NetRPCUnsupportedPlugin
	pluginpb.UnimplementedPluginServer
	pluginpb.UnimplementedTalkServer
	pluginpb.UnimplementedHostServer
	mode string
}

func (r *raw) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, nil
}

func (r *raw) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	pluginpb.RegisterPluginServer(s, r)
	pluginpb.RegisterTalkServer(s, r)
	pluginpb.RegisterHostServer(s, r)
	return nil
}

func (r *raw) Describe(context.Context, *pluginpb.DescribeRequest) (*pluginpb.Description, error) {
	services := []string{pluginpb.PluginService, pluginpb.TalkService}
	if r.mode == "raw flood of host calls" {
		services = append(services, pluginpb.HostService)
	}
	return &pluginpb.Description{Name: r.mode, Services: services, Talk: &pluginpb.TalkDescription{Protocols: [][]byte{[]byte(os.Args[2])}}}, nil
}

func (r *raw) Configure(context.Context, *pluginpb.ConfigureRequest) (*pluginpb.ConfigureResponse, error) {
	return &pluginpb.ConfigureResponse{}, nil
}

func (r *raw) Health(context.Context, *pluginpb.HealthRequest) (*pluginpb.HealthResponse, error) {
	return &pluginpb.HealthResponse{}, nil
}

func (r *raw) Drain(context.Context, *pluginpb.DrainRequest) (*pluginpb.DrainResponse, error) {
	return &pluginpb.DrainResponse{}, nil
}

func (r *raw) Link(stream grpc.BidiStreamingServer[pluginpb.HostReplies, pluginpb.HostCalls]) error {
	for id := uint64(1); ; {
		calls := new(pluginpb.HostCalls)
		for range 1000 {
			calls.Calls = append(calls.Calls, &pluginpb.HostCall{Id: id, Call: &pluginpb.HostCall_Self{Self: &pluginpb.SelfCall{}}})
			id++
		}
		if err := stream.Send(calls); err != nil { // and reads no reply
			return err
		}
	}
}

func (r *raw) Serve(stream grpc.BidiStreamingServer[pluginpb.TalkRequests, pluginpb.TalkResponses]) error {
	for {
		in, err := stream.Recv()
		if err != nil {
			return err
		}
		out := new(pluginpb.TalkResponses)
		for _, q := range in.Requests {
			answer := &pluginpb.TalkResponse{Id: q.Id, Payload: q.Payload}
			switch r.mode {
			case "70,000 bytes":
				answer.Payload = make([]byte, 70_000)
			case "unknown id":
				out.Responses = append(out.Responses, &pluginpb.TalkResponse{Id: q.Id + 1<<40, Payload: []byte("forged")})
				continue
			case "answers twice":
				out.Responses = append(out.Responses, answer, &pluginpb.TalkResponse{Id: q.Id, Payload: []byte("second")})
				continue
			}
			out.Responses = append(out.Responses, answer)
		}
		if err := stream.Send(out); err != nil {
			return err
		}
	}
}

// behaveAsHost runs a host with two plugins, tells their numbers and waits.
func behaveAsHost(dir string) {
	key, err := crypto.GenerateKey()
	if err != nil {
		panic(err)
	}
	n, err := core.Listen(core.Config{PrivateKey: key, NewKey: true, Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}})
	if err != nil {
		panic(err)
	}
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	s, err := New(Config{DataDir: dir + "/data", RunDir: dir + "/run", Blocks: []Block{
		{Kind: Talk, Name: "a", Source: path, Args: []string{"mode=ignore TERM", "a"}},
		{Kind: Talk, Name: "b", Source: path, Args: []string{"mode=child keeps stderr", "b"}},
	}})
	if err != nil {
		panic(err)
	}
	if err := s.Run(n); err != nil {
		panic(err)
	}
	if err := s.Settle(context.Background()); err != nil {
		panic(err)
	}
	for _, st := range s.Status() {
		fmt.Println(st.PID)
	}
	select {}
}

package sdktest

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/discv5/host/sdk/pluginpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// TestMain makes the test binary a plugin, with a fault, when it is started with its kind and the fault as arguments.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && slices.Contains([]string{"talk", "filter"}, os.Args[1]) {
		(&broken{kind: os.Args[1], fault: os.Args[2]}).main()
	}
	answerTime = 2 * time.Second // what does not come at once does not come
	os.Exit(m.Run())
}

// broken is a plugin that is written by hand and has one fault, or none if that is "no".
type broken struct {
	pluginpb.UnimplementedPluginServer
	pluginpb.UnimplementedTalkServer
	pluginpb.UnimplementedFilterServer
	kind, fault string
	configured  bool
	stop        chan struct{}
}

func (b *broken) main() {
	if os.Getenv(pluginpb.MagicCookieKey) != pluginpb.MagicCookieValue {
		if b.fault != "silent by hand" {
			fmt.Println("this is a plugin")
		}
		os.Exit(1)
	}
	if b.fault == "closes stdout" {
		_ = os.Stdout.Close()
		select {}
	}
	parent := os.Getppid()
	b.stop = make(chan struct{}, 9)
	folder := os.Getenv("PLUGIN_UNIX_SOCKET_DIR")
	if b.fault == "socket elsewhere" {
		folder += "-not"
		if err := os.Mkdir(folder, 0o700); err != nil {
			panic(err)
		}
	}
	listener, err := net.Listen("unix", filepath.Join(folder, "s"))
	if err != nil {
		panic(err)
	}
	listener.(*net.UnixListener).SetUnlinkOnClose(b.fault != "leaves its socket")
	server := grpc.NewServer()
	pluginpb.RegisterPluginServer(server, b)
	if b.kind == "talk" {
		pluginpb.RegisterTalkServer(server, b)
	} else {
		pluginpb.RegisterFilterServer(server, b)
	}
	if b.fault != "no health service" {
		h := health.NewServer()
		h.SetServingStatus("plugin", grpc_health_v1.HealthCheckResponse_SERVING)
		grpc_health_v1.RegisterHealthServer(server, h)
	}
	if b.fault != "none of go-plugin's" {
		b.registerGoPlugin(server)
	}
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	go func() { _ = server.Serve(listener) }()
	line := "1|1|unix|" + listener.Addr().String() + "|grpc"
	switch b.fault {
	case "old handshake":
		line = "1|0|unix|" + listener.Addr().String() + "|grpc"
	case "net/rpc":
		line = "1|1|unix|" + listener.Addr().String() + "|netrpc"
	case "chatty before":
		line = "hello\n" + line
	case "chatty after":
		line += "\nhello"
	}
	fmt.Println(line)
	tick := time.NewTicker(100 * time.Millisecond)
	for {
		select {
		case <-tick.C:
			if os.Getppid() == parent || b.fault == "outlives its parent" {
				continue
			}
		case <-terminated:
			if b.fault == "ignores TERM" {
				continue
			}
			if b.fault == "exit status 3" {
				os.Exit(3)
			}
		case <-b.stop:
			server.GracefulStop()
		}
		if b.fault != "leaves its socket" {
			_ = os.Remove(listener.Addr().String())
		}
		if b.fault == "socket elsewhere" {
			_ = os.RemoveAll(folder)
		}
		os.Exit(0)
	}
}

// registerGoPlugin adds the services that go-plugin's hosts may call.
func (b *broken) registerGoPlugin(server *grpc.Server) {
	server.RegisterService(&grpc.ServiceDesc{ServiceName: "plugin.GRPCStdio", HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{
		{StreamName: "StreamStdio", ServerStreams: true, Handler: func(_ any, s grpc.ServerStream) error {
			if b.fault != "stdio ends" {
				<-s.Context().Done()
			}
			return nil
		}},
	}}, b)
	server.RegisterService(&grpc.ServiceDesc{ServiceName: "plugin.GRPCController", HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{
		{MethodName: "Shutdown", Handler: func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			if b.fault != "no shutdown" {
				b.stop <- struct{}{}
			}
			return &emptypb.Empty{}, decode(&emptypb.Empty{})
		}},
	}}, b)
}

func (b *broken) Describe(context.Context, *pluginpb.DescribeRequest) (*pluginpb.Description, error) {
	d := &pluginpb.Description{Name: "broken", Services: []string{pluginpb.PluginService}}
	if b.kind == "talk" {
		d.Services = append(d.Services, pluginpb.TalkService)
		d.Talk = &pluginpb.TalkDescription{Protocols: [][]byte{[]byte("a"), []byte("b")}}
	} else {
		d.Services = append(d.Services, pluginpb.FilterService)
		d.Filter = &pluginpb.FilterDescription{}
	}
	d.Config = &pluginpb.ConfigSchema{Attributes: []*pluginpb.ConfigAttribute{
		{Name: "size", Type: pluginpb.ConfigType_CONFIG_TYPE_INT, DefaultJson: "1"},
	}}
	switch b.fault {
	case "no name":
		d.Name = ""
	case "no kind":
		d.Talk = nil
	case "a need that is no grant":
		d.Needs = []string{"money"}
	case "a protocol twice":
		d.Talk.Protocols = [][]byte{[]byte("a"), []byte("a")}
	case "bad schema":
		d.Config.Attributes[0].DefaultJson = "one"
	case "changes":
		d.Version = fmt.Sprint(os.Getpid())
	case "grants unseen":
		d.Needs = []string{"ping"}
	}
	return d, nil
}

func (b *broken) Configure(_ context.Context, r *pluginpb.ConfigureRequest) (*pluginpb.ConfigureResponse, error) {
	if b.configured && b.fault != "configured twice" {
		return nil, status.Error(codes.FailedPrecondition, "again")
	}
	b.configured = true
	var config struct{ Size int }
	if err := json.Unmarshal(r.GetConfigJson(), &config); err != nil && b.fault != "takes any configuration" {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	return &pluginpb.ConfigureResponse{}, nil
}

func (b *broken) Health(context.Context, *pluginpb.HealthRequest) (*pluginpb.HealthResponse, error) {
	if b.fault == "failing" {
		return &pluginpb.HealthResponse{Status: pluginpb.HealthStatus_HEALTH_STATUS_FAILING}, nil
	}
	return &pluginpb.HealthResponse{}, nil
}

func (b *broken) Metrics(context.Context, *pluginpb.MetricsRequest) (*pluginpb.MetricsResponse, error) {
	if b.fault == "bad metric" {
		return &pluginpb.MetricsResponse{Metrics: []*pluginpb.Metric{{Name: "Bad Name"}}}, nil
	}
	return &pluginpb.MetricsResponse{}, nil
}

func (b *broken) Drain(ctx context.Context, _ *pluginpb.DrainRequest) (*pluginpb.DrainResponse, error) {
	if b.fault == "hangs in drain" {
		<-ctx.Done()
	}
	return &pluginpb.DrainResponse{}, nil
}

func (b *broken) Serve(stream grpc.BidiStreamingServer[pluginpb.TalkRequests, pluginpb.TalkResponses]) error {
	known := map[uint32]bool{}
	for {
		m, err := stream.Recv()
		if err != nil {
			return nil
		}
		for _, p := range m.GetPeers() {
			if p.GetNumber() > 100 && b.fault == "few peers" {
				continue
			}
			known[p.GetNumber()] = true
		}
		out := &pluginpb.TalkResponses{}
		for i, r := range m.GetRequests() {
			a := &pluginpb.TalkResponse{Id: r.GetId(), Payload: r.GetPayload()}
			if r.GetProtocol() > 1 {
				a.Payload, a.Error = nil, "unknown protocol"
			}
			skip := !known[r.GetPeer()]
			switch b.fault {
			case "answers twice":
				if i == 0 {
					out.Responses = append(out.Responses, a)
				}
			case "wrong id":
				if len(r.GetPayload()) == 0 {
					out.Responses = append(out.Responses, &pluginpb.TalkResponse{Id: r.GetId() + 1})
				}
			case "small ids":
				a.Id = uint64(uint32(a.Id))
			case "ignores empty payloads":
				skip = skip || len(r.GetPayload()) == 0
			case "ignores large payloads":
				skip = skip || len(r.GetPayload()) > 1024
			case "ignores the cancelled":
				skip = skip || slices.Contains(m.GetCancelled(), r.GetId())
			case "ignores the late":
				skip = skip || r.GetTimeoutUs() < 1000
			case "eight at a time":
				skip = skip || i >= 8
			case "answers unknown protocols":
				a.Payload = []byte("x")
			case "answers too much":
				a.Payload = make([]byte, 1178)
			case "ends at unknown protocols":
				if r.GetProtocol() > 1 {
					return status.Error(codes.InvalidArgument, "unknown protocol")
				}
			}
			if !skip {
				out.Responses = append(out.Responses, a)
			}
		}
		if err := stream.Send(out); err != nil {
			return nil
		}
	}
}

func (b *broken) Decide(stream grpc.BidiStreamingServer[pluginpb.FilterBatch, pluginpb.FilterVerdicts]) error {
	for {
		m, err := stream.Recv()
		if err != nil {
			return nil
		}
		out := &pluginpb.FilterVerdicts{Id: m.GetId()}
		for range m.GetNodes() {
			out.Verdicts = append(out.Verdicts, &pluginpb.Verdict{Decision: pluginpb.Decision_DECISION_ACCEPT})
		}
		n := len(out.Verdicts)
		switch {
		case b.fault == "one verdict short" && n > 1:
			out.Verdicts = out.Verdicts[1:]
		case b.fault == "at most 100" && n > 100:
			out.Verdicts = out.Verdicts[:100]
		case b.fault == "wrong batch":
			out.Id++
		case b.fault == "ignores empty batches" && n == 0:
			continue
		case b.fault == "bad reason" && n > 0:
			out.Verdicts[0].Reason = "No match!"
		case b.fault == "bad decision" && n > 0:
			out.Verdicts[0].Decision = 9
		case b.fault == "fails at odd records" && n == 1 && len(m.GetNodes()[0].GetRecord()) > 200:
			out.Verdicts, out.Error = nil, "cannot decode"
		}
		if err := stream.Send(out); err != nil {
			return nil
		}
	}
}

// failures runs one part of a suite and returns its name if it failed.
func failures(source Source, part func(*suiteRun) func(T), only string) (failed []string, said string) {
	var out strings.Builder
	r := &reporter{ctx: context.Background(), out: &out, only: only}
	root := &check{report: r}
	root.do(func(t T) {
		ctx := context.Background()
		x, err := begin(ctx, source, nil, "")
		if err != nil {
			t.Fatalf("%v", err)
		}
		about := x.about
		x.close()
		part(&suiteRun{ctx, source, about})(t)
	})
	for _, c := range r.Checks {
		if c.Failed {
			failed = append(failed, c.Name)
		}
	}
	return failed, out.String() + strings.Join(root.lines, "\n")
}

// brokenSource starts the test binary as a plugin. The race detector must not hold up its end.
func brokenSource(self, kind, fault string) Source {
	return Source{Path: self, Args: []string{kind, fault}, Env: []string{"GORACE=atexit_sleep_ms=0"}}
}

// together runs tests that wait more than they work, as many at a time as it has room for.
type together chan struct{}

func (c together) do(t *testing.T, name string, test func(*testing.T)) {
	c <- struct{}{}
	go func() {
		defer func() { <-c }()
		t.Run(name, test)
	}()
}

func (c together) wait() {
	for range cap(c) {
		c <- struct{}{}
	}
}

// TestFaults runs the suites against plugins with one fault each: the part about it must fail.
func TestFaults(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	control := func(s *suiteRun) func(T) { return s.control }
	process := func(s *suiteRun) func(T) { return s.process }
	talk := func(s *suiteRun) func(T) { return s.talk }
	filter := func(s *suiteRun) func(T) { return s.filter }
	all := make(together, 8)
	defer all.wait()
	for _, test := range []struct {
		kind, fault string
		part        func(*suiteRun) func(T)
		fails       string
	}{
		{"talk", "no name", control, "describe"},
		{"talk", "no kind", control, "describe"},
		{"talk", "a need that is no grant", control, "describe"},
		{"talk", "a protocol twice", control, "describe"},
		{"talk", "bad schema", control, "describe"},
		{"talk", "changes", control, "describe"},
		{"talk", "grants unseen", control, "needs"},
		{"talk", "configured twice", control, "configure"},
		{"talk", "takes any configuration", control, "wrong configuration"},
		{"talk", "failing", control, "health"},
		{"talk", "bad metric", control, "metrics"},
		{"talk", "hangs in drain", control, "drain"},
		{"talk", "ignores TERM", control, "terminate"},
		{"talk", "exit status 3", control, "terminate"},
		{"talk", "silent by hand", process, "by hand"},
		{"talk", "socket elsewhere", process, "socket"},
		{"talk", "no health service", process, "health service"},
		{"talk", "stdio ends", process, "stdio service"},
		{"talk", "no shutdown", process, "shutdown"},
		{"talk", "leaves its socket", process, "shutdown"},
		{"talk", "chatty after", process, "stdout"},
		{"talk", "outlives its parent", process, "parent dies"},
		{"talk", "answers twice", talk, "one request"},
		{"talk", "wrong id", talk, "empty payload"},
		{"talk", "small ids", talk, "ids of any size"},
		{"talk", "ignores empty payloads", talk, "empty payload"},
		{"talk", "ignores large payloads", talk, "largest payload"},
		{"talk", "ignores the cancelled", talk, "cancelled"},
		{"talk", "ignores the late", talk, "late"},
		{"talk", "eight at a time", talk, "many at a time"},
		{"talk", "answers unknown protocols", talk, "unknown protocol"},
		{"talk", "ends at unknown protocols", talk, "unknown protocol"},
		{"talk", "answers too much", talk, "one request"},
		{"talk", "few peers", talk, "peers"},
		{"filter", "one verdict short", filter, "every stage"},
		{"filter", "at most 100", filter, "full batch"},
		{"filter", "wrong batch", filter, "every stage"},
		{"filter", "ignores empty batches", filter, "empty batch"},
		{"filter", "bad reason", filter, "every stage"},
		{"filter", "bad decision", filter, "every stage"},
		{"filter", "fails at odd records", filter, "records of all sorts"},
	} {
		all.do(t, test.fault, func(t *testing.T) {
			failed, report := failures(brokenSource(self, test.kind, test.fault), test.part, test.fails)
			if !slices.Contains(failed, test.fails) {
				t.Errorf("the part %q went well:\n%s", test.fails, report)
			}
		})
	}
	for _, fault := range []string{"old handshake", "net/rpc", "chatty before", "closes stdout"} {
		all.do(t, fault, func(t *testing.T) {
			if r := Run(t.Output(), brokenSource(self, "talk", fault)); r.Failed != 1 || r.Checks[0].Name != "start" {
				t.Errorf("%+v", r)
			}
		})
	}
}

// Plugins without a fault pass, also those that were written without package sdk.
func TestNoFault(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	failed, report := failures(brokenSource(self, "talk", "none of go-plugin's"), func(s *suiteRun) func(T) { return s.process }, "")
	if len(failed) > 0 {
		t.Errorf("without go-plugin's services: %q\n%s", failed, report)
	}
	for _, kind := range []string{"talk", "filter"} {
		t.Run(kind, func(t *testing.T) {
			Conformance(t, brokenSource(self, kind, "no"))
			r := Run(t.Output(), brokenSource(self, kind, "no"))
			if r.Failed != 0 || r.Kind != kind || len(r.Checks) < 20 {
				t.Errorf("%+v", r)
			}
		})
	}
}

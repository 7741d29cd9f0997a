package sdk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/discv5/host/sdk/internal/door"
	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

type watchedStore struct{ memoryStore }

func (*watchedStore) Watch(context.Context, []byte, func([]Entry)) error { return nil }

func TestDescribe(t *testing.T) {
	talk := echoPlugin()
	talk.Info.Summary, talk.Info.Needs, talk.MaxInFlight, talk.Config = "It echoes.", []string{GrantKV}, 5, &strictConfig{Depth: 2}
	d, err := serve(t, talk).control.Describe(t.Context(), &pluginpb.DescribeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if d.Name != "echo" || d.Version != "1.0.0" || d.Summary != "It echoes." || d.Exclusive || !slices.Equal(d.Needs, []string{"kv"}) {
		t.Errorf("description %v", d)
	}
	if !slices.Equal(d.Services, []string{pluginpb.TalkService, pluginpb.HostService}) || string(d.Talk.Protocols[0]) != "echo" || d.Talk.MaxInFlight != 5 {
		t.Errorf("talk description %v", d)
	}
	if a := d.Config.Attributes; len(a) != 1 || a[0].DefaultJson != "2" {
		t.Errorf("schema %v", d.Config)
	}
	d, err = serve(t, &FilterPlugin{Info: Info{Name: "f", Exclusive: true}, Stages: []Stage{StageServe}, Filter: FilterFunc(func(*enode.Node) bool { return true })}).
		control.Describe(t.Context(), &pluginpb.DescribeRequest{})
	if err != nil || d.Services[0] != pluginpb.FilterService || !slices.Equal(d.Filter.Stages, []string{"serve"}) || !d.Filter.Uniform || !d.Exclusive {
		t.Errorf("filter description %v, %v", d, err)
	}
	for _, uniform := range []bool{false, true} {
		p := &FilterPlugin{Info: Info{Name: "f"}, Uniform: uniform, Filter: filterFn(nil)}
		if d, err = serve(t, p).control.Describe(t.Context(), &pluginpb.DescribeRequest{}); err != nil || d.Filter.Uniform != uniform {
			t.Errorf("description of a filter that is uniform, %v: %v, %v", uniform, d, err)
		}
	}
	d, err = serve(t, &StorePlugin{Info: Info{Name: "s"}, Durable: true, Store: &memoryStore{}}).control.Describe(t.Context(), &pluginpb.DescribeRequest{})
	if err != nil || d.Services[0] != pluginpb.StoreService || !d.Store.Durable || d.Store.Shared || d.Store.Watch {
		t.Errorf("store description %v, %v", d, err)
	}
	d, err = serve(t, &StorePlugin{Info: Info{Name: "s"}, Shared: true, Store: &watchedStore{}}).control.Describe(t.Context(), &pluginpb.DescribeRequest{})
	if err != nil || !d.Store.Shared || !d.Store.Watch {
		t.Errorf("description of a store that watches %v, %v", d, err)
	}
}

func TestServiceNames(t *testing.T) {
	for name, desc := range map[string]grpc.ServiceDesc{
		pluginpb.PluginService: pluginpb.Plugin_ServiceDesc,
		pluginpb.TalkService:   pluginpb.Talk_ServiceDesc,
		pluginpb.FilterService: pluginpb.Filter_ServiceDesc,
		pluginpb.StoreService:  pluginpb.Store_ServiceDesc,
		pluginpb.HostService:   pluginpb.Host_ServiceDesc,
	} {
		if name != desc.ServiceName {
			t.Errorf("constant %q, service %q", name, desc.ServiceName)
		}
	}
}

func TestBadlyMade(t *testing.T) {
	long := strings.Repeat("x", 300)
	handler := TalkFunc(func(context.Context, *TalkRequest) ([]byte, error) { return nil, nil })
	for want, p := range map[string]Plugin{
		"Handler is nil":          &TalkPlugin{Info: Info{Name: "x"}, Protocols: []string{"p"}},
		"there are 0 Protocols":   &TalkPlugin{Info: Info{Name: "x"}, Handler: handler},
		`protocol "" has 0 bytes`: &TalkPlugin{Info: Info{Name: "x"}, Handler: handler, Protocols: []string{""}},
		`"p" is there twice`:      &TalkPlugin{Info: Info{Name: "x"}, Handler: handler, Protocols: []string{"p", "p"}},
		"MaxInFlight is -1":       &TalkPlugin{Info: Info{Name: "x"}, Handler: handler, Protocols: []string{"p"}, MaxInFlight: -1},
		"Info.Name has 0 bytes":   &StorePlugin{Store: &memoryStore{}},
		"Info.Version has 300":    &StorePlugin{Info: Info{Name: "x", Version: long}, Store: &memoryStore{}},
		"Info.Summary has 300":    &StorePlugin{Info: Info{Name: "x", Summary: long}, Store: &memoryStore{}},
		`Info.Needs has "kvs"`:    &StorePlugin{Info: Info{Name: "x", Needs: []string{"kvs"}}, Store: &memoryStore{}},
		"Store is nil":            &StorePlugin{Info: Info{Name: "x"}},
		"Filter is nil":           &FilterPlugin{Info: Info{Name: "x"}},
		`Stages has "sever"`:      &FilterPlugin{Info: Info{Name: "x"}, Stages: []Stage{"sever"}},
		"must be a pointer":       &FilterPlugin{Info: Info{Name: "x"}, Config: limits{}},
	} {
		s := serve(t, p)
		for call, f := range map[string]func() error{
			"Describe":  func() error { _, err := s.control.Describe(t.Context(), &pluginpb.DescribeRequest{}); return err },
			"Configure": func() error { _, err := s.control.Configure(t.Context(), &pluginpb.ConfigureRequest{}); return err },
		} {
			if err := f(); status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %s", call, err, want)
			}
		}
		if _, err := door.Register(grpc.NewServer(), p, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Register: %v, want %s", err, want)
		}
		if text := byHand(p, "/x"); !strings.Contains(text, want) {
			t.Errorf("by hand: %s, want %s", text, want)
		}
	}
	if _, err := door.Register(grpc.NewServer(), 1, nil); err == nil {
		t.Error("an int was served")
	}
}

func TestConfigure(t *testing.T) {
	config := &strictConfig{}
	p := echoPlugin()
	p.Config = config
	var host *Host
	var life context.Context
	p.Start = func(ctx context.Context, h *Host) error {
		if config.Depth != 4 {
			t.Errorf("depth %d when Start is called", config.Depth)
		}
		host, life = h, ctx
		return nil
	}
	s := serve(t, p)
	r := &pluginpb.ConfigureRequest{Name: "two", ConfigJson: []byte(`{"depth":4}`), Grants: []string{"kv"}, DataDir: "/d", HostVersion: "v1"}
	s.configure(t, r)
	if host.Name() != "two" || host.DataDir() != "/d" || host.Version() != "v1" || !host.Granted("kv") || host.Granted("ban") || host.Log() == nil {
		t.Errorf("host %+v", host)
	}
	if life.Err() != nil {
		t.Error("the context of Start has ended with Configure")
	}
	if _, err := s.control.Configure(t.Context(), r); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("Configure again: %v", err)
	}
	if _, err := s.control.Drain(t.Context(), &pluginpb.DrainRequest{}); err != nil {
		t.Fatal(err)
	}
	within(t, "the end of the context of Start", life.Done())
}

func TestConfigureFails(t *testing.T) {
	for _, c := range []struct {
		what string
		edit func(*TalkPlugin)
		json string
		code codes.Code
		want string
	}{
		{"wrong type", func(*TalkPlugin) {}, `{"depth":"x"}`, codes.InvalidArgument, `attribute "depth"`},
		{"Validate", func(*TalkPlugin) {}, `{"depth":6}`, codes.InvalidArgument, "above 5"},
		{"missing grant", func(p *TalkPlugin) { p.Info.Needs = []string{GrantBan} }, "", codes.InvalidArgument, `"ban"`},
		{"Start", func(p *TalkPlugin) { p.Start = func(context.Context, *Host) error { return errors.New("no disk\xff") } }, "", codes.Aborted, "no disk"},
		{"grant", func(p *TalkPlugin) {
			p.Start = func(context.Context, *Host) error { return fmt.Errorf("who am I: %w", ErrNotGranted) }
		}, "", codes.InvalidArgument, "who am I: not granted"},
		{"panic", func(p *TalkPlugin) { p.Start = func(context.Context, *Host) error { panic("oh") } }, "", codes.Aborted, "panic in Start: oh"},
	} {
		p := echoPlugin()
		p.Config = &strictConfig{}
		drained := false
		p.Drain = func(context.Context) error { drained = true; return nil }
		c.edit(p)
		s := serve(t, p)
		if _, err := s.control.Configure(t.Context(), &pluginpb.ConfigureRequest{ConfigJson: []byte(c.json)}); status.Code(err) != c.code || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %v with %s", c.what, err, c.code, c.want)
		}
		if _, err := s.control.Health(t.Context(), &pluginpb.HealthRequest{}); status.Code(err) != codes.FailedPrecondition {
			t.Errorf("%s: Health then: %v", c.what, err)
		}
		if _, err := s.control.Drain(t.Context(), &pluginpb.DrainRequest{}); err != nil || drained {
			t.Errorf("%s: Drain then: %v, the plugin was asked: %v", c.what, err, drained)
		}
	}
}

func TestHealth(t *testing.T) {
	var state error
	p := echoPlugin()
	p.Health = func(context.Context) error {
		if state != nil && state.Error() == "panic" {
			panic("sick")
		}
		return state
	}
	s := serve(t, p)
	s.configure(t, &pluginpb.ConfigureRequest{})
	long := strings.Repeat("x", 1000)
	for _, c := range []struct {
		err  error
		want pluginpb.HealthStatus
		text string
	}{
		{nil, pluginpb.HealthStatus_HEALTH_STATUS_OK, ""},
		{Degraded(nil), pluginpb.HealthStatus_HEALTH_STATUS_OK, ""},
		{errors.Join(Degraded(errors.New("slow"))), pluginpb.HealthStatus_HEALTH_STATUS_DEGRADED, "slow"},
		{errors.New(long), pluginpb.HealthStatus_HEALTH_STATUS_FAILING, long[:256]},
		{errors.New("panic"), pluginpb.HealthStatus_HEALTH_STATUS_FAILING, "panic in Health: sick"},
	} {
		state = c.err
		r, err := s.control.Health(t.Context(), &pluginpb.HealthRequest{})
		if err != nil || r.Status != c.want || r.Message != c.text {
			t.Errorf("%v: %v, %v", c.err, r, err)
		}
	}
}

func TestDrainWaitsForResponses(t *testing.T) {
	release, asked := make(chan struct{}), make(chan struct{})
	p := echoPlugin()
	var order []string
	p.Handler = TalkFunc(func(context.Context, *TalkRequest) ([]byte, error) {
		close(asked)
		<-release
		order = append(order, "response")
		return nil, nil
	})
	p.Drain = func(context.Context) error { order = append(order, "drain"); return errors.New("logged") }
	s := serve(t, p)
	s.configure(t, &pluginpb.ConfigureRequest{})
	stream, err := pluginpb.NewTalkClient(s.conn).Serve(s.ctx)
	if err != nil {
		t.Fatal(err)
	}
	n, _ := testNode(t, 1)
	id := n.ID()
	if err := stream.Send(&pluginpb.TalkRequests{Peers: []*pluginpb.TalkPeer{{NodeId: id[:]}}, Requests: []*pluginpb.TalkRequest{{Id: 1}}}); err != nil {
		t.Fatal(err)
	}
	within(t, "the request", asked)
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := s.control.Drain(short, &pluginpb.DrainRequest{}); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("Drain before the response: %v", err)
	}
	close(release)
	began := time.Now()
	if _, err := s.control.Drain(t.Context(), &pluginpb.DrainRequest{}); err != nil {
		t.Errorf("Drain again: %v", err)
	}
	if took := time.Since(began); took > drainTime/2 {
		t.Errorf("the drain went on for %v after the last response", took)
	}
	if !slices.Equal(order, []string{"response", "drain"}) {
		t.Errorf("order %q", order)
	}
	if m, err := stream.Recv(); err != nil || len(m.Responses) != 1 {
		t.Errorf("response after the drain: %v, %v", m, err)
	}
}

func TestByHand(t *testing.T) {
	p := echoPlugin()
	p.Info = Info{Name: "My Echo", Version: "1.2", Summary: "It echoes.", Needs: []string{"kv", "talk"}}
	p.Config = defaults()
	got := byHand(p, "/opt/echo")
	want := `My Echo 1.2 is a talk plugin of the discv5 host.
It echoes.
The host starts it; it does nothing by hand. To enable it, add this to config.hcl:

plugin "talk" "my-echo" {
  source = "/opt/echo"
  grants = ["kv", "talk"]
  config {
    path = "" # where it is
    # token = ""
    # count = 7
    # ratio = 0
    # on = false
    # words = ["a"]
    # labels = {}
    # limits { … } # bounds
    # maybe { … }
    # peer { … }
  }
}

To try it: host plugin test /opt/echo
`
	if got != want {
		t.Errorf("by hand:\n%s\nwant:\n%s", got, want)
	}
}

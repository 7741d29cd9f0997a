package link

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/discv5/host/sdk/pluginpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// controlPlugin answers control calls with what a test wants.
type controlPlugin struct {
	pluginpb.UnimplementedPluginServer
	description *pluginpb.Description
	health      *pluginpb.HealthResponse
	metrics     *pluginpb.MetricsResponse
	err         error
	hang        bool
}

func (p *controlPlugin) wait(ctx context.Context) error {
	if p.hang {
		<-ctx.Done()
	}
	return p.err
}

func (p *controlPlugin) Describe(ctx context.Context, _ *pluginpb.DescribeRequest) (*pluginpb.Description, error) {
	return p.description, p.wait(ctx)
}

func (p *controlPlugin) Configure(ctx context.Context, _ *pluginpb.ConfigureRequest) (*pluginpb.ConfigureResponse, error) {
	return &pluginpb.ConfigureResponse{}, p.wait(ctx)
}

func (p *controlPlugin) Health(ctx context.Context, _ *pluginpb.HealthRequest) (*pluginpb.HealthResponse, error) {
	return p.health, p.wait(ctx)
}

func (p *controlPlugin) Metrics(ctx context.Context, _ *pluginpb.MetricsRequest) (*pluginpb.MetricsResponse, error) {
	return p.metrics, p.wait(ctx)
}

func (p *controlPlugin) Drain(ctx context.Context, _ *pluginpb.DrainRequest) (*pluginpb.DrainResponse, error) {
	return &pluginpb.DrainResponse{}, p.wait(ctx)
}

func control(t *testing.T, p *controlPlugin) *grpc.ClientConn {
	t.Helper()
	return connect(t, func(s *grpc.Server) { pluginpb.RegisterPluginServer(s, p) })
}

func goodDescription() *pluginpb.Description {
	return &pluginpb.Description{
		Name: "echo", Version: "1.0.0", Summary: "Says it again.",
		Services: []string{pluginpb.PluginService, pluginpb.TalkService}, Needs: []string{"kv", "metrics", "findnode"},
		Talk:   &pluginpb.TalkDescription{Protocols: [][]byte{[]byte("echo"), {0x50, 0xff}}},
		Filter: &pluginpb.FilterDescription{Stages: []string{"table", "deliver"}},
		Config: &pluginpb.ConfigSchema{
			Attributes: []*pluginpb.ConfigAttribute{{Name: "depth", Type: pluginpb.ConfigType_CONFIG_TYPE_INT, DefaultJson: "3", Doc: "How\x1bdeep."}},
			Blocks: []*pluginpb.ConfigBlock{{Name: "inner", Schema: &pluginpb.ConfigSchema{
				Attributes: []*pluginpb.ConfigAttribute{{Name: "depth", Type: pluginpb.ConfigType_CONFIG_TYPE_STRING_MAP}},
			}}},
		},
	}
}

func TestDescribeChecksWhatItIsTold(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p := &controlPlugin{description: goodDescription()}
		conn := control(t, p)
		d, err := Describe(context.Background(), conn)
		if err != nil || d.Name != "echo" || d.Config.Attributes[0].Doc != "Howdeep." || !Serves(d, pluginpb.TalkService) || Serves(d, pluginpb.StoreService) {
			t.Fatalf("described %v, %v", d, err)
		}
		deep := &pluginpb.ConfigSchema{}
		for range 20 {
			deep = &pluginpb.ConfigSchema{Blocks: []*pluginpb.ConfigBlock{{Name: "b", Schema: deep}}}
		}
		for name, spoil := range map[string]func(*pluginpb.Description){
			"a long name":         func(d *pluginpb.Description) { d.Name = strings.Repeat("x", 65) },
			"a long version":      func(d *pluginpb.Description) { d.Version = strings.Repeat("x", 65) },
			"a long summary":      func(d *pluginpb.Description) { d.Summary = strings.Repeat("x", 257) },
			"many services":       func(d *pluginpb.Description) { d.Services = make([]string, 33) },
			"an unknown grant":    func(d *pluginpb.Description) { d.Needs = []string{"root"} },
			"many protocols":      func(d *pluginpb.Description) { d.Talk.Protocols = make([][]byte, 65) },
			"an empty protocol":   func(d *pluginpb.Description) { d.Talk.Protocols = [][]byte{{}} },
			"a long protocol":     func(d *pluginpb.Description) { d.Talk.Protocols = [][]byte{make([]byte, 65)} },
			"a protocol twice":    func(d *pluginpb.Description) { d.Talk.Protocols = [][]byte{{1}, {1}} },
			"an unknown stage":    func(d *pluginpb.Description) { d.Filter.Stages = []string{"all"} },
			"a bad attribute":     func(d *pluginpb.Description) { d.Config.Attributes[0].Name = "a b" },
			"an attribute twice":  func(d *pluginpb.Description) { d.Config.Attributes[0].Name = "inner" },
			"an unknown type":     func(d *pluginpb.Description) { d.Config.Attributes[0].Type = 99 },
			"a default of no use": func(d *pluginpb.Description) { d.Config.Attributes[0].DefaultJson = "{" },
			"a bad inner name":    func(d *pluginpb.Description) { d.Config.Blocks[0].Schema.Attributes[0].Name = "" },
			"a deep schema":       func(d *pluginpb.Description) { d.Config = deep },
			"many attributes": func(d *pluginpb.Description) {
				for i := range 600 {
					d.Config.Attributes = append(d.Config.Attributes, &pluginpb.ConfigAttribute{Name: fmt.Sprintf("a%d", i), Type: 1})
				}
			},
		} {
			p.description = goodDescription()
			spoil(p.description)
			if d, err := Describe(context.Background(), conn); !errors.Is(err, ErrRefused) || errors.Is(err, ErrFailed) || d != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestControlCallsTellRefusedFromFailed(t *testing.T) {
	calls := map[string]struct {
		call    func(context.Context, grpc.ClientConnInterface) error
		timeout time.Duration
	}{
		"describe": {func(ctx context.Context, c grpc.ClientConnInterface) error {
			_, err := Describe(ctx, c)
			return err
		}, DescribeTimeout},
		"configure": {func(ctx context.Context, c grpc.ClientConnInterface) error {
			return Configure(ctx, c, &pluginpb.ConfigureRequest{Name: "x"})
		}, ConfigureTimeout},
		"health": {func(ctx context.Context, c grpc.ClientConnInterface) error {
			_, _, err := Health(ctx, c)
			return err
		}, HealthTimeout},
		"metrics": {func(ctx context.Context, c grpc.ClientConnInterface) error {
			_, _, err := Metrics(ctx, c)
			return err
		}, MetricsTimeout},
		"drain": {func(ctx context.Context, c grpc.ClientConnInterface) error { return Drain(ctx, c) }, DrainTimeout},
	}
	for name, c := range calls {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				p := &controlPlugin{}
				conn := control(t, p)
				for code, want := range map[codes.Code]error{
					codes.InvalidArgument: ErrRefused, codes.Unimplemented: ErrRefused,
					codes.Internal: ErrFailed, codes.Unavailable: ErrFailed, codes.Unknown: ErrFailed, codes.ResourceExhausted: ErrFailed,
				} {
					p.err = status.Error(code, "no\nway\x1b[2J")
					err := c.call(context.Background(), conn)
					if !errors.Is(err, want) || errors.Is(err, ErrRefused) == errors.Is(err, ErrFailed) {
						t.Errorf("%v: %v", code, err)
					}
					if want := name + `: "no way[2J"`; err.Error() != want {
						t.Errorf("the error is %s, want %s", err, want)
					}
				}
				p.hang = true
				start := time.Now()
				if err := c.call(context.Background(), conn); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrFailed) || time.Since(start) != c.timeout {
					t.Errorf("a plugin that hangs: %v after %v", err, time.Since(start))
				}
				ctx, cancel := context.WithCancel(context.Background())
				time.AfterFunc(time.Millisecond, cancel)
				if err := c.call(ctx, conn); !errors.Is(err, context.Canceled) {
					t.Errorf("cancelled: %v", err)
				}
			})
		})
	}
}

func TestHealthTellsHowAPluginIs(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p := &controlPlugin{}
		conn := control(t, p)
		for told, want := range map[pluginpb.HealthStatus]HealthStatus{
			pluginpb.HealthStatus_HEALTH_STATUS_UNSPECIFIED: Healthy, pluginpb.HealthStatus_HEALTH_STATUS_OK: Healthy,
			pluginpb.HealthStatus_HEALTH_STATUS_DEGRADED: Degraded, pluginpb.HealthStatus_HEALTH_STATUS_FAILING: Failing,
		} {
			p.health = &pluginpb.HealthResponse{Status: told, Message: "so\x1b so" + strings.Repeat("x", 1000)}
			got, message, err := Health(context.Background(), conn)
			if got != want || err != nil || len(message) > maxText || !strings.HasPrefix(message, "so sox") {
				t.Errorf("%v: %v, %q, %v", told, got, message, err)
			}
		}
		p.health = &pluginpb.HealthResponse{Status: 9}
		if _, _, err := Health(context.Background(), conn); !errors.Is(err, ErrInvalid) {
			t.Errorf("an unknown status: %v", err)
		}
	})
}

func TestMetricsAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sample := func(label, value string) *pluginpb.Sample {
			return &pluginpb.Sample{Labels: map[string]string{label: value}, Value: 1}
		}
		const gauge, counter = pluginpb.MetricKind_METRIC_KIND_GAUGE, pluginpb.MetricKind_METRIC_KIND_COUNTER
		p := &controlPlugin{metrics: &pluginpb.MetricsResponse{Metrics: []*pluginpb.Metric{
			{Name: "ok_total", Help: "fine\x1b", Kind: counter, Samples: []*pluginpb.Sample{
				sample("a", "1"), sample("a", "2\n"), sample("a", "2 "), sample("Bad", "1"), sample("plugin", "other"), sample("a", strings.Repeat("x", 200)),
			}},
			{Name: "ok_total", Kind: gauge, Samples: []*pluginpb.Sample{sample("a", "1"), sample("a", "2")}},
			{Name: "Bad", Kind: gauge},
			{Name: "bad_kind", Kind: 7},
			{Name: "many", Kind: gauge},
		}}}
		for i := range 1100 {
			p.metrics.Metrics[4].Samples = append(p.metrics.Metrics[4].Samples, sample("i", fmt.Sprint(i)))
		}
		got, dropped, err := Metrics(context.Background(), control(t, p))
		if err != nil || len(got) != 2 || got[0].Name != "ok_total" || !got[0].Counter || got[0].Help != "fine" || got[1].Counter {
			t.Fatalf("got %+v, %v", got, err)
		}
		if len(got[0].Samples) != 3 || got[0].Samples[1].Labels["a"] != "2" || len(got[0].Samples[2].Labels["a"]) != maxLabelValue {
			t.Errorf("samples are %+v", got[0].Samples)
		}
		if len(got[1].Samples) != maxSamples-3 || dropped != 3+2+1+1+(1100-maxSamples+3) {
			t.Errorf("%d samples, %d dropped", len(got[1].Samples), dropped)
		}
		p.metrics = &pluginpb.MetricsResponse{}
		for i := range 100 {
			p.metrics.Metrics = append(p.metrics.Metrics, &pluginpb.Metric{Name: fmt.Sprintf("m%d", i), Kind: gauge})
		}
		if got, dropped, _ := Metrics(context.Background(), control(t, p)); len(got) != maxMetrics || dropped != 100-maxMetrics {
			t.Errorf("%d metrics, %d dropped", len(got), dropped)
		}
	})
}

func FuzzDescription(f *testing.F) {
	b, _ := proto.Marshal(goodDescription())
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		d := new(pluginpb.Description)
		if proto.Unmarshal(b, d) == nil && checkDescription(d) == nil && d.Name != clean(d.Name, maxName) {
			t.Errorf("name %q passed", d.Name)
		}
	})
}

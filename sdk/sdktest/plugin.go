package sdktest

import (
	"context"
	"encoding/json"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/discv5/host/sdk"
	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// Plugin is a running plugin under test, configured and healthy. It is stopped when the test ends.
type Plugin struct {
	Host *Host // answers what it asks

	t testing.TB
	x *session
}

// Option changes how a plugin under test runs.
type Option func(*Source, **Host)

// Config gives the plugin a config block.
func Config(config map[string]any) Option { return func(s *Source, _ **Host) { s.Config = config } }

// Grants lets the plugin make host calls. Without this option it may make those that it says it needs.
func Grants(grants ...string) Option {
	return func(s *Source, _ **Host) { s.Grants = append([]string{}, grants...) }
}

// Args are arguments of a program.
func Args(args ...string) Option { return func(s *Source, _ **Host) { s.Args = args } }

// Env is the environment of a program, as "NAME=value", beside what the host sets. Without it that is the PATH of the test.
func Env(env ...string) Option { return func(s *Source, _ **Host) { s.Env = env } }

// WithHost gives the plugin a host that was made before, to script what it answers while the plugin starts.
func WithHost(h *Host) Option { return func(_ *Source, host **Host) { *host = h } }

// Start runs a plugin in this process, over a real socket. A plugin value can be started once.
func Start(t testing.TB, p sdk.Plugin, options ...Option) *Plugin {
	t.Helper()
	return run(t, Source{New: func() sdk.Plugin { return p }}, options)
}

// Exec runs a plugin's program.
func Exec(t testing.TB, path string, options ...Option) *Plugin {
	t.Helper()
	return run(t, Source{Path: path}, options)
}

func run(t testing.TB, source Source, options []Option) *Plugin {
	t.Helper()
	p, err := Try(t, source, options...)
	if err != nil {
		t.Fatalf("the plugin does not run: %v", err)
	}
	return p
}

// Try runs a plugin that may refuse to start: with a wrong configuration, for example.
func Try(t testing.TB, source Source, options ...Option) (*Plugin, error) {
	t.Helper()
	var host *Host
	for _, o := range options {
		o(&source, &host)
	}
	if host == nil {
		host = NewHost()
	}
	x, err := start(context.Background(), source, host, "")
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() {
		x.close()
		if t.Failed() {
			for _, line := range x.log.all() {
				t.Log(line)
			}
		}
	})
	return &Plugin{Host: host, t: t, x: x}, nil
}

// Talk sends a TALKREQ as the node number 1 of this package would, and returns the response's payload. An error says that
// the handler failed (ErrAnswer), or that the plugin broke its contract.
func (p *Plugin) Talk(protocol string, payload []byte) ([]byte, error) {
	return p.TalkFrom(Node(1, Endpoint(1)), protocol, payload)
}

// TalkFrom is Talk as a node, from the endpoint in its record.
func (p *Plugin) TalkFrom(n *enode.Node, protocol string, payload []byte) ([]byte, error) {
	s, err := p.x.talkStream()
	if err != nil {
		return nil, err
	}
	from, ok := n.UDPEndpoint()
	if !ok {
		from = netip.MustParseAddrPort("192.0.2.254:30303")
	}
	return s.ask(talkPeer(n, from), protocol, payload)
}

// Decide asks a filter about nodes, 256 at most.
func (p *Plugin) Decide(stage sdk.Stage, nodes ...*enode.Node) ([]sdk.Verdict, error) {
	s, err := p.x.filterStream()
	if err != nil {
		return nil, err
	}
	return s.decide(stage, nodes)
}

// Store calls a store.
func (p *Plugin) Store() *Store { return &Store{pluginpb.NewStoreClient(p.x.conn)} }

// DataDir is the plugin's data directory.
func (p *Plugin) DataDir() string { return p.x.dataDir }

// Health asks how the plugin is: "" if it is well, otherwise what it says, with "degraded: " or "failing: " before.
func (p *Plugin) Health() string {
	p.t.Helper()
	r, err := p.x.health()
	if err != nil {
		p.t.Fatalf("health: %v", err)
	}
	switch r.GetStatus() {
	case pluginpb.HealthStatus_HEALTH_STATUS_DEGRADED:
		return "degraded: " + r.GetMessage()
	case pluginpb.HealthStatus_HEALTH_STATUS_FAILING:
		return "failing: " + r.GetMessage()
	}
	return ""
}

// Metric returns the value of a metric's sample: its labels in the order of their names, and their values, as name, value, name, value.
func (p *Plugin) Metric(name string, labels ...string) (value float64, ok bool) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), describeTime)
	defer cancel()
	m, err := p.x.control().Metrics(ctx, &pluginpb.MetricsRequest{})
	if err != nil {
		p.t.Fatalf("metrics: %v", err)
	}
	for _, metric := range m.GetMetrics() {
		for _, sample := range metric.GetSamples() {
			if metric.GetName() != name || len(sample.GetLabels()) != len(labels)/2 {
				continue
			}
			same := true
			for i := 0; i+1 < len(labels); i += 2 {
				same = same && sample.GetLabels()[labels[i]] == labels[i+1]
			}
			if same {
				return sample.GetValue(), true
			}
		}
	}
	return 0, false
}

// Drain does what the host does before the end: the plugin answers what it has and writes what it keeps.
func (p *Plugin) Drain() {
	p.t.Helper()
	if err := p.x.drain(); err != nil {
		p.t.Fatalf("drain: %v", err)
	}
}

// Stop ends the plugin before the test ends.
func (p *Plugin) Stop() { p.x.close() }

// Logs returns the messages of what it logged, oldest first: the last 200.
func (p *Plugin) Logs() []string {
	all := p.x.log.all()
	for i, text := range all {
		var line struct {
			Message string `json:"@message"`
		}
		if json.Unmarshal([]byte(text), &line) == nil && line.Message != "" {
			all[i] = line.Message
		}
	}
	return all
}

// WaitLog waits until the plugin has logged a message, for 5 s at most; otherwise the test fails.
func (p *Plugin) WaitLog(message string) {
	p.t.Helper()
	timer := time.NewTimer(answerTime)
	defer timer.Stop()
	for {
		more := p.x.log.next()
		logs := p.Logs()
		if slices.Contains(logs, message) {
			return
		}
		select {
		case <-more:
		case <-timer.C:
			p.t.Fatalf("the plugin has not logged %q, but %q", message, logs)
		}
	}
}

package link

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/discv5/host/sdk/pluginpb"
	"google.golang.org/grpc"
)

// How long a plugin may take for each control call, unless the context ends before.
const (
	DescribeTimeout  = 5 * time.Second
	ConfigureTimeout = 30 * time.Second
	HealthTimeout    = 5 * time.Second
	MetricsTimeout   = 500 * time.Millisecond
	DrainTimeout     = 2 * time.Second
)

// Describe asks a plugin who it is. The description is checked and its text is safe to show; one that makes no sense is an
// ErrRefused.
func Describe(ctx context.Context, conn grpc.ClientConnInterface) (*pluginpb.Description, error) {
	ctx, cancel := context.WithTimeout(ctx, DescribeTimeout)
	defer cancel()
	d, err := pluginpb.NewPluginClient(conn).Describe(ctx, &pluginpb.DescribeRequest{})
	if err != nil {
		return nil, controlError("describe", err)
	}
	if err := checkDescription(d); err != nil {
		return nil, &LinkError{Op: "describe", Refused: true, Err: err}
	}
	return d, nil
}

// Serves tells whether a plugin described itself as serving a service, named in full.
func Serves(d *pluginpb.Description, service string) bool {
	return slices.Contains(d.GetServices(), service)
}

// Configure hands a plugin its configuration and returns when it is ready. ErrRefused says that the configuration is wrong, in
// the plugin's own words; any other error that this attempt failed.
func Configure(ctx context.Context, conn grpc.ClientConnInterface, c *pluginpb.ConfigureRequest) error {
	ctx, cancel := context.WithTimeout(ctx, ConfigureTimeout)
	defer cancel()
	_, err := pluginpb.NewPluginClient(conn).Configure(ctx, c)
	return controlError("configure", err)
}

// HealthStatus is how a plugin says that it is.
type HealthStatus uint8

// The states.
const (
	Healthy  HealthStatus = iota
	Degraded              // it works, but somebody should look
	Failing               // it cannot work
)

// String returns the name as it appears in the status.
func (s HealthStatus) String() string {
	return [...]string{"ok", "degraded", "failing", "unknown"}[min(s, Failing+1)]
}

// Health asks a plugin how it is. The message is safe to show. An error says that it did not tell; ErrRefused with
// that is no reason to give up.
func Health(ctx context.Context, conn grpc.ClientConnInterface) (HealthStatus, string, error) {
	ctx, cancel := context.WithTimeout(ctx, HealthTimeout)
	defer cancel()
	r, err := pluginpb.NewPluginClient(conn).Health(ctx, &pluginpb.HealthRequest{})
	if err != nil {
		return Failing, "", controlError("health", err)
	}
	message := clean(r.Message, maxText)
	switch r.Status {
	case pluginpb.HealthStatus_HEALTH_STATUS_UNSPECIFIED, pluginpb.HealthStatus_HEALTH_STATUS_OK:
		return Healthy, message, nil
	case pluginpb.HealthStatus_HEALTH_STATUS_DEGRADED:
		return Degraded, message, nil
	case pluginpb.HealthStatus_HEALTH_STATUS_FAILING:
		return Failing, message, nil
	}
	return Failing, "", &LinkError{Op: "health", Err: fmt.Errorf("%w: status %d", ErrInvalid, r.Status)}
}

// Drain asks a plugin to finish, and waits for it.
func Drain(ctx context.Context, conn grpc.ClientConnInterface) error {
	ctx, cancel := context.WithTimeout(ctx, DrainTimeout)
	defer cancel()
	_, err := pluginpb.NewPluginClient(conn).Drain(ctx, &pluginpb.DrainRequest{})
	return controlError("drain", err)
}

// Metric is a metric of a plugin: its name and labels are valid for Prometheus, its help is safe to show.
type Metric struct {
	Name    string // as the plugin names it: [a-z][a-z0-9_]*
	Help    string
	Counter bool // else a gauge
	Samples []MetricSample
}

// MetricSample is a value of a metric.
type MetricSample struct {
	Labels map[string]string
	Value  float64
}

// Bounds of a plugin's metrics.
const (
	maxMetrics     = 64
	maxSamples     = 1024 // together
	maxMetricName  = 64
	maxLabels      = 8
	maxLabelName   = 32
	maxLabelValue  = 128
	reservedPlugin = "plugin" // the label that the host adds
)

// Metrics asks a plugin for its metrics. What exceeds the bounds, has a bad name or comes twice is left out and counted in dropped, in
// samples or metrics without any.
func Metrics(ctx context.Context, conn grpc.ClientConnInterface) (metrics []Metric, dropped int, err error) {
	ctx, cancel := context.WithTimeout(ctx, MetricsTimeout)
	defer cancel()
	r, err := pluginpb.NewPluginClient(conn).Metrics(ctx, &pluginpb.MetricsRequest{})
	if err != nil {
		return nil, 0, controlError("metrics", err)
	}
	seen := make(map[string]bool)
	samples := 0
	for _, m := range r.Metrics {
		name := m.GetName()
		if len(metrics) >= maxMetrics || seen[name] || !isName(name, maxMetricName) || m.Kind == pluginpb.MetricKind_METRIC_KIND_UNSPECIFIED || m.Kind > pluginpb.MetricKind_METRIC_KIND_GAUGE {
			dropped += max(len(m.GetSamples()), 1)
			continue
		}
		seen[name] = true
		out := Metric{Name: name, Help: clean(m.Help, maxText), Counter: m.Kind == pluginpb.MetricKind_METRIC_KIND_COUNTER}
		series := make(map[string]bool)
		for _, s := range m.Samples {
			labels, key, ok := checkLabels(s.GetLabels())
			if !ok || samples >= maxSamples || series[key] {
				dropped++
				continue
			}
			series[key] = true
			samples++
			out.Samples = append(out.Samples, MetricSample{labels, s.Value})
		}
		metrics = append(metrics, out)
	}
	return metrics, dropped, nil
}

// checkLabels returns labels as they can be shown, and a text that tells one set of them from another.
func checkLabels(labels map[string]string) (clear map[string]string, key string, ok bool) {
	if len(labels) > maxLabels {
		return nil, "", false
	}
	clear = make(map[string]string, len(labels))
	var parts []string
	for name, value := range labels {
		if !isName(name, maxLabelName) || name == reservedPlugin {
			return nil, "", false
		}
		value = clean(value, maxLabelValue)
		clear[name] = value
		parts = append(parts, name+"\x00"+value)
	}
	slices.Sort(parts)
	return clear, fmt.Sprintf("%q", parts), true
}

// isName tells whether s is [a-z][a-z0-9_]*, of at most size bytes.
func isName(s string, size int) bool {
	if s == "" || len(s) > size || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

var errDescription = errors.New("the description makes no sense")

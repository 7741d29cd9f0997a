package sdk

import (
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/discv5/host/sdk/pluginpb"
	"github.com/hashicorp/go-hclog"
)

// Bounds of a plugin's metrics.
const (
	maxMetrics    = 64
	maxSamples    = 1024 // of all metrics together
	maxLabels     = 8    // of a metric
	maxLabelValue = 128  // bytes
	maxHelp       = 256  // bytes
)

var metricName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// metrics holds the metrics of a plugin. Its mutex is for all of them; values are changed without it.
type metrics struct {
	log hclog.Logger

	mu      sync.Mutex
	order   []*metric
	samples int
	full    bool // somebody was told
}

type metric struct {
	owner  *metrics // nil: beyond the bounds
	kind   pluginpb.MetricKind
	name   string
	help   string
	labels []string
	single atomic.Pointer[sample] // of a metric without labels, when it has one

	values map[string]*sample // by joined label values; guarded by owner.mu
}

type sample struct {
	labels []string
	bits   atomic.Uint64
}

func newMetrics(log hclog.Logger) *metrics { return &metrics{log: log} }

// Counter is a metric that only grows. Its methods may be called concurrently.
type Counter struct{ m *metric }

// Gauge is a metric that goes up and down. Its methods may be called concurrently.
type Gauge struct{ m *metric }

// Counter returns the counter of a name, [a-z][a-z0-9_]* and at most 64 bytes, which operators see as discv5_plugin_custom_<name>. It is
// made at the first call. It has one sample for each combination of values of its labels, whose names are made like its own. A
// plugin has at most 64 metrics with at most 1024 samples together and 8 labels each; what is beyond counts nowhere. Without the grant
// metrics they count and nobody sees it.
func (h *Host) Counter(name, help string, labels ...string) *Counter {
	return &Counter{h.metrics.metric(pluginpb.MetricKind_METRIC_KIND_COUNTER, name, help, labels)}
}

// Gauge is Counter for a gauge.
func (h *Host) Gauge(name, help string, labels ...string) *Gauge {
	return &Gauge{h.metrics.metric(pluginpb.MetricKind_METRIC_KIND_GAUGE, name, help, labels)}
}

// Inc adds one to the sample of these label values, in the order of the labels.
func (c *Counter) Inc(values ...string) { c.m.add(1, values) }

// Add adds to the sample of these label values. What is negative or not a number is ignored.
func (c *Counter) Add(v float64, values ...string) {
	if v >= 0 {
		c.m.add(v, values)
	}
}

// Set sets the sample of these label values.
func (g *Gauge) Set(v float64, values ...string) {
	if s := g.m.sample(values); s != nil {
		s.bits.Store(math.Float64bits(v))
	}
}

// Add adds to the sample of these label values; v may be negative.
func (g *Gauge) Add(v float64, values ...string) { g.m.add(v, values) }

// metric finds or makes a metric.
func (ms *metrics) metric(kind pluginpb.MetricKind, name, help string, labels []string) *metric {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	for _, m := range ms.order {
		if m.name == name && m.kind == kind && slices.Equal(m.labels, labels) {
			return m
		}
	}
	why := ""
	switch {
	case len(ms.order) == maxMetrics:
		why = "too many metrics"
	case len(labels) > maxLabels:
		why = "too many labels"
	case !metricName.MatchString(name) || slices.ContainsFunc(labels, func(l string) bool { return !metricName.MatchString(l) }):
		why = "bad name of a metric or label"
	case slices.ContainsFunc(ms.order, func(m *metric) bool { return m.name == name }):
		why = "there is another metric of that name"
	}
	if why != "" {
		ms.log.Error("metric refused", "reason", why, "name", clip(name, maxLabelValue))
		return &metric{}
	}
	m := &metric{owner: ms, kind: kind, name: name, help: clip(help, maxHelp), labels: slices.Clone(labels), values: make(map[string]*sample)}
	ms.order = append(ms.order, m)
	return m
}

// sample finds or makes the sample of these label values; nil: there is none.
func (m *metric) sample(values []string) *sample {
	if s := m.single.Load(); s != nil && len(values) == 0 {
		return s
	}
	if m.owner == nil || len(values) != len(m.labels) {
		return nil
	}
	key := strings.Join(values, "\xff")
	m.owner.mu.Lock()
	defer m.owner.mu.Unlock()
	if s := m.values[key]; s != nil {
		return s
	}
	if m.owner.samples == maxSamples {
		if !m.owner.full {
			m.owner.full = true
			m.owner.log.Warn("metrics are full", "name", m.name, "samples", maxSamples)
		}
		return nil
	}
	s := &sample{labels: make([]string, len(values))}
	for i, v := range values {
		s.labels[i] = clip(v, maxLabelValue)
	}
	m.owner.samples++
	m.values[key] = s
	if len(values) == 0 {
		m.single.Store(s)
	}
	return s
}

func (m *metric) add(v float64, values []string) {
	s := m.sample(values)
	if s == nil {
		return
	}
	for {
		old := s.bits.Load()
		if s.bits.CompareAndSwap(old, math.Float64bits(math.Float64frombits(old)+v)) {
			return
		}
	}
}

func (ms *metrics) collect() *pluginpb.MetricsResponse {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	out := &pluginpb.MetricsResponse{}
	for _, m := range ms.order {
		pm := &pluginpb.Metric{Name: m.name, Help: m.help, Kind: m.kind}
		for _, s := range m.values {
			ps := &pluginpb.Sample{Value: math.Float64frombits(s.bits.Load()), Labels: make(map[string]string, len(m.labels))}
			for i, l := range m.labels {
				ps.Labels[l] = s.labels[i]
			}
			pm.Samples = append(pm.Samples, ps)
		}
		out.Metrics = append(out.Metrics, pm)
	}
	return out
}

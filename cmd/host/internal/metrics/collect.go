package metrics

import (
	"fmt"
	"strings"
	"time"

	"github.com/discv5/host/cmd/host/internal/admin"
	"github.com/discv5/host/cmd/host/internal/build"
	"github.com/discv5/host/core"
	"github.com/prometheus/client_golang/prometheus"
)

// collector asks the node, the plugins and whoever counts what operators do at every scrape. It keeps nothing.
type collector struct {
	node    Node
	plugins Plugins
	admin   func() admin.Stats
	reloads *Reloads
	build   build.Info
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(descs chan<- *prometheus.Desc) {
	for _, s := range sections {
		if s == pluginOwn {
			continue // custom's
		}
		for _, f := range s.families {
			descs <- f.desc
		}
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(metrics chan<- prometheus.Metric) {
	out := sink{metrics}
	silent := false
	if c.admin != nil {
		st := c.admin()
		out.admin(st)
		silent = st.Silent
	}
	if !silent {
		c.collectNode(out)
	}
	if c.plugins != nil {
		for _, st := range c.plugins.Status() {
			out.plugin(&st)
		}
	}
	if c.reloads != nil {
		out.reloads(c.reloads)
	}
	out.build(c.build)
}

func (c *collector) collectNode(out sink) {
	stats := c.node.Stats()
	table := c.node.Table()
	out.nimEth(&stats)
	out.traffic(&stats)
	out.sessions(&stats)
	out.requests(&stats)
	out.talks(&stats, c.node.TalkStats())
	out.table(&stats, c.node.ID(), table)
	out.record(c.node)
	out.endpoints(c.node.Endpoints())
	out.filters(&stats, c.node.FilterStats())
	out.store(c.node.StoreStats(), c.node.StoreError())
}

// sink is where the metrics of a scrape go.
type sink struct {
	metrics chan<- prometheus.Metric
}

// value emits one value of a counter or a gauge; labels are in the order of the declaration.
func (s sink) value(f *family, value float64, labels ...string) {
	valueType := prometheus.GaugeValue
	if f.kind == counter {
		valueType = prometheus.CounterValue
	}
	m, err := prometheus.NewConstMetric(f.desc, valueType, value, labels...)
	s.emit(f, m, err)
}

// count is value for counters as they are kept.
func (s sink) count(f *family, value uint64, labels ...string) { s.value(f, float64(value), labels...) }

// claim emits 1 for what is true.
func (s sink) claim(f *family, holds bool, labels ...string) {
	value := 0.0
	if holds {
		value = 1
	}
	s.value(f, value, labels...)
}

// latency emits a histogram of seconds.
func (s sink) latency(f *family, l *core.Latency, labels ...string) {
	s.histogram(f, l.Counts[:], func(class int) float64 { return core.LatencyBounds[class].Seconds() }, l.Sum.Seconds(), labels)
}

// sizes emits a histogram of numbers of things.
func (s sink) sizes(f *family, z *core.Sizes, labels ...string) {
	s.histogram(f, z.Counts[:], func(class int) float64 { return float64(core.SizeBounds[class]) }, float64(z.Sum), labels)
}

// histogram emits a histogram whose last class has no bound.
func (s sink) histogram(f *family, counts []uint64, bound func(class int) float64, sum float64, labels []string) {
	last := len(counts) - 1
	buckets := make(map[float64]uint64, last)
	var count uint64
	for class, more := range counts[:last] {
		count += more
		buckets[bound(class)] = count
	}
	m, err := prometheus.NewConstHistogram(f.desc, count+counts[last], sum, buckets, labels...)
	s.emit(f, m, err)
}

func (s sink) emit(f *family, m prometheus.Metric, err error) {
	if err != nil {
		m = prometheus.NewInvalidMetric(f.desc, fmt.Errorf("%s: %w", f.name, err))
	}
	s.metrics <- m
}

// unixSeconds is a time as Prometheus has it; 0: never.
func unixSeconds(t time.Time) float64 {
	if t.IsZero() || t.UnixNano() <= 0 {
		return 0
	}
	return float64(t.UnixNano()) / 1e9
}

// maxText is how many bytes of a text about a program make a label.
const maxText = 64

// text makes a label of what a plugin or a build says about itself.
func text(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.ToValidUTF8(s, "")
}

var builds = &section{title: "The program"}

var buildInfo = builds.gauge("discv5_build_info", "Always 1; the labels say what the host was built from.", "version", "commit", "modified", "go", "platform")

func (s sink) build(b build.Info) {
	s.value(buildInfo, 1, text(b.Version), text(b.Commit), fmt.Sprint(b.Modified), text(b.Go), text(b.Platform))
}

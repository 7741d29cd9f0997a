package metrics

import (
	"context"
	"maps"
	"slices"

	"github.com/discv5/host/plugins"
	"github.com/prometheus/client_golang/prometheus"
)

// customPrefix is what the names of metrics begin with that plugins keep themselves. None of ours does.
const customPrefix = "discv5_plugin_custom_"

var pluginOwn = &section{title: "Plugins: their own metrics"}

var (
	customUp      = pluginOwn.gauge("discv5_plugin_metrics_up", "1 when a plugin that is granted metrics told its own in time.", "plugin")
	customDropped = pluginOwn.gauge("discv5_plugin_metrics_dropped", "Samples of this scrape that were left out, because there were too many or they made no sense.", "plugin")
)

// custom asks the plugins for the metrics that they keep themselves. What there will be it cannot tell, so it describes nothing.
type custom struct {
	plugins Plugins
}

// Describe implements prometheus.Collector.
func (c *custom) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c *custom) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), customTimeout)
	defer cancel()
	out := sink{metrics}
	seen := make(map[string]customFamily)
	for _, p := range c.plugins.Metrics(ctx) {
		dropped := p.Dropped
		for _, m := range p.Metrics {
			dropped += out.custom(seen, p.ID, &m)
		}
		out.claim(customUp, p.Err == nil, p.ID)
		out.value(customDropped, float64(dropped), p.ID)
	}
}

// customFamily is what the metrics of one name have in common: Prometheus wants one type and one help.
type customFamily struct {
	help    string
	counter bool
}

// custom emits a metric of a plugin, and returns how many of its samples it left out.
func (s sink) custom(seen map[string]customFamily, plugin string, m *plugins.Metric) (dropped int) {
	name := customPrefix + m.Name
	f, known := seen[name]
	if !known {
		f = customFamily{m.Help, m.Counter}
		seen[name] = f
	}
	if f.counter != m.Counter {
		return max(len(m.Samples), 1)
	}
	valueType := prometheus.GaugeValue
	if m.Counter {
		valueType = prometheus.CounterValue
	}
	for _, sample := range m.Samples {
		labels, values := []string{"plugin"}, []string{plugin}
		for _, label := range slices.Sorted(maps.Keys(sample.Labels)) {
			labels, values = append(labels, label), append(values, sample.Labels[label])
		}
		desc := prometheus.NewDesc(name, f.help, labels, nil)
		metric, err := prometheus.NewConstMetric(desc, valueType, sample.Value, values...)
		if err != nil {
			dropped++
			continue
		}
		s.metrics <- metric
	}
	return dropped
}

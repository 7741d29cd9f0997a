package sdk

// Bounds of a plugin's metrics.
const (
	maxMetrics = 64
	maxSamples = 1024 // of all metrics together
)

type metrics struct{}

// Counter is a metric that only grows. Its methods may be called concurrently.
type Counter struct{}

// Gauge is a metric that goes up and down. Its methods may be called concurrently.
type Gauge struct{}

// Counter returns the counter of a name, [a-z][a-z0-9_]*, which operators see as discv5_plugin_custom_<name>, and makes it at the first
// call. It has one sample for each combination of values of its labels. A plugin has at most 64 metrics with at most 1024 samples
// together; what is beyond counts nowhere. Counters of a plugin without the grant metrics work and are not shown.
func (h *Host) Counter(name, help string, labels ...string) *Counter { return &Counter{} }

// Gauge is Counter for a gauge.
func (h *Host) Gauge(name, help string, labels ...string) *Gauge { return &Gauge{} }

// Inc adds one to the sample of these label values, in the order of the labels.
func (c *Counter) Inc(values ...string) { c.Add(1, values...) }

// Add adds to the sample of these label values. What is negative or not a number is ignored.
func (c *Counter) Add(v float64, values ...string) {}

// Set sets the sample of these label values.
func (g *Gauge) Set(v float64, values ...string) {}

// Add adds to the sample of these label values.
func (g *Gauge) Add(v float64, values ...string) {}

package sdk

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/discv5/host/sdk/pluginpb"
	"github.com/hashicorp/go-hclog"
)

// shown is the metrics as lines of text.
func shown(ms *pluginpb.MetricsResponse) string {
	var lines []string
	for _, m := range ms.Metrics {
		for _, s := range m.Samples {
			lines = append(lines, fmt.Sprint(m.Name, " ", m.Kind.String()[12:], " ", m.Help, " ", s.Labels, " ", s.Value))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func TestMetrics(t *testing.T) {
	lh := linked(t, false, everything())
	h := lh.host
	c := h.Counter("hits", "Hits.", "kind", "from")
	c.Inc("a", "x")
	c.Add(1.5, "a", "x")
	c.Inc("a", "y\xff")
	c.Add(-1, "a", "x")
	c.Add(math.NaN(), "a", "x")
	c.Inc("a") // a label is missing
	h.Counter("hits", "Hits.", "kind", "from").Inc("a", "x")
	g := h.Gauge("level", "")
	g.Set(5)
	g.Add(-7)
	h.Counter("none", "") // no sample yet
	for _, bad := range []*Counter{h.Counter("Hits", ""), h.Counter("hits", "", "kind"), h.Counter("x", "", "a-b"), h.Counter("level", "")} {
		bad.Inc()
		bad.Inc("a")
	}
	h.Gauge("", "").Set(1)
	got, err := lh.control.Metrics(t.Context(), &pluginpb.MetricsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	want := "hits COUNTER Hits. map[from:x kind:a] 3.5\nhits COUNTER Hits. map[from:y\ufffd kind:a] 1\nlevel GAUGE  map[] -2"
	if shown(got) != want {
		t.Errorf("metrics\n%s\nwant\n%s", shown(got), want)
	}
}

func TestMetricsBounds(t *testing.T) {
	h := &Host{metrics: newMetrics(hclog.NewNullLogger())}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range maxMetrics + 1 {
				c := h.Counter(fmt.Sprint("m", i), "", "l")
				for j := range 20 {
					c.Inc(fmt.Sprint(j))
				}
			}
		})
	}
	all.Wait()
	got := h.metrics.collect()
	samples, sum := 0, 0.0
	for _, m := range got.Metrics {
		samples += len(m.Samples)
		for _, s := range m.Samples {
			sum += s.Value
		}
	}
	if len(got.Metrics) != maxMetrics || samples != maxSamples || sum < maxSamples || sum > 4*maxSamples {
		t.Errorf("%d metrics with %d samples, sum %v", len(got.Metrics), samples, sum)
	}
}

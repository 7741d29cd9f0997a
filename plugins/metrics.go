package plugins

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/discv5/host/plugins/internal/link"
)

// Metric is a metric that a plugin keeps, fit for Prometheus.
type Metric = link.Metric

// PluginMetrics are the metrics of one plugin.
type PluginMetrics struct {
	ID      string // "talk.echo"
	Name    string // "echo"
	Metrics []Metric
	Dropped int   // samples beyond the bounds
	Err     error // the plugin did not answer
}

// Metrics asks all plugins that are granted "metrics" for theirs, at the same time, within 500 ms.
func (s *Set) Metrics(ctx context.Context) []PluginMetrics {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var all []PluginMetrics
	for _, k := range s.all() {
		in := k.current()
		if in == nil || !slices.Contains(in.grants, "metrics") {
			continue
		}
		wg.Go(func() {
			m := PluginMetrics{ID: k.id, Name: k.id[len(k.kind)+1:]}
			m.Metrics, m.Dropped, m.Err = link.Metrics(ctx, in.proc.Conn())
			mu.Lock()
			defer mu.Unlock()
			all = append(all, m)
		})
	}
	wg.Wait()
	slices.SortFunc(all, func(a, b PluginMetrics) int { return strings.Compare(a.ID, b.ID) })
	return all
}

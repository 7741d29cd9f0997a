package metrics

import (
	"context"
	"net/http"
	"time"

	"github.com/discv5/host/cmd/host/internal/admin"
	"github.com/discv5/host/cmd/host/internal/build"
	"github.com/discv5/host/core"
	"github.com/discv5/host/plugins"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Bounds of scrapes.
const (
	maxScrapes    = 8                // that wait at a time
	scrapeTimeout = 10 * time.Second // as long as Prometheus waits by default
	customTimeout = time.Second      // for the metrics that plugins keep themselves
)

// Node is what a *core.Node tells about itself. All methods may be called from any goroutine.
type Node interface {
	Stats() core.Stats
	FilterStats() []core.FilterStats
	TalkStats() []core.TalkStats
	StoreStats() core.StoreStats
	StoreError() error
	Table() core.TableInfo
	ID() enode.ID
	Self() *enode.Node
	Endpoints() []core.EndpointInfo
	RecordUsage() core.RecordUsage
	RecordError() error
}

// Plugins is what a *plugins.Set tells about its plugins. All methods may be called from any goroutine.
type Plugins interface {
	Status() []plugins.Status
	// Metrics asks the plugins for their own metrics, and returns when ctx ends.
	Metrics(ctx context.Context) []plugins.PluginMetrics
}

// Config says whom to ask. Node is required.
type Config struct {
	Node    Node
	Plugins Plugins // nil: none
	// Admin tells what the admin API has counted, and whether the host is ready; it may be called from any goroutine, before there is a server too. nil: there is none.
	Admin   func() admin.Stats
	Reloads *Reloads // nil: the configuration is not reloaded
	Build   build.Info
	Log     hclog.Logger // nil: no log
}

// Handler serves the metrics of a host to Prometheus, as text or in the other forms that it asks for. A scrape beyond those that may
// wait, or one that takes too long, gets 503.
func Handler(cfg Config) http.Handler {
	log := cfg.Log
	if log == nil {
		log = hclog.NewNullLogger()
	}
	r := registry(cfg)
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{
		ErrorLog:            errorLog{log},
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: maxScrapes,
		CoalesceGather:      true,
		Timeout:             scrapeTimeout,
	})
}

// registry has what is about the host, and nothing about the program.
func registry(cfg Config) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(&collector{node: cfg.Node, plugins: cfg.Plugins, admin: cfg.Admin, reloads: cfg.Reloads, build: cfg.Build})
	if cfg.Plugins != nil {
		r.MustRegister(&custom{plugins: cfg.Plugins})
	}
	return r
}

// errorLog passes on what promhttp has to say.
type errorLog struct{ log hclog.Logger }

// Println implements promhttp.Logger.
func (l errorLog) Println(v ...any) {
	for _, part := range v {
		if err, ok := part.(error); ok {
			l.log.Warn("metrics cannot be shown in full", "err", err)
			return
		}
	}
	l.log.Warn("metrics cannot be shown in full", "err", v)
}

// Package metrics shows a running host to Prometheus.
//
// # Layout
//
//   - handler.go: what is asked, and the handler of /metrics
//   - family.go: how a metric is declared; the reference is made from the declarations
//   - collect.go: a scrape
//   - names.go: the names that nim-eth exports, with the same meaning
//   - traffic.go, sessions.go, requests.go, talk.go, table.go, record.go, filters.go, store.go, plugins.go, operators.go: our own
//     names, declared next to the code that fills them; operators.go also counts reloads
//   - custom.go: the metrics that plugins keep themselves
//
// The folder cmd/host/dashboards has the reference, a dashboard for Grafana and rules for alerts; tests here hold them against
// the declarations. To add a metric: declare it in a section, emit it in the function below the section, and write the
// reference anew with go test -update.
//
// # Goroutines and ownership
//
// The package starts no goroutines and keeps no numbers but those of Reloads: every scrape asks the node, the plugins and the admin API
// anew. Scrapes at the same time share one answer. A histogram of durations has the classes of core.LatencyBounds, 50 µs to 10 s.
//
// # Errors
//
// A metric that cannot be shown is logged and left out; the others are served. That a plugin does not tell its own metrics is a
// metric.
//
// # Limits
//
// No label has a value that a stranger chooses. Names of plugins and filters come from the configuration, reasons of filters are
// bounded by core, and the metrics of a plugin by package plugins; distances in the table have 17 values. TALK protocols have a label when
// they were served here or asked for by us, 320 of them at most by core's bounds; all others are "other". At most 8 scrapes wait
// at a time, 10 s at most, and plugins have 1 s to tell their own metrics.
package metrics

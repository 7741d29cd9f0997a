package metrics

import (
	"fmt"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// kind is what the values of a family are.
type kind uint8

const (
	counter kind = iota // grows, and begins anew with the process that it is about
	gauge
	histogram
)

func (k kind) String() string { return [...]string{"counter", "gauge", "histogram"}[k] }

// family is a metric with all of its label values.
type family struct {
	name   string
	help   string
	kind   kind
	labels []string
	desc   *prometheus.Desc
}

// section is a heading of the reference.
type section struct {
	title    string
	families []*family
}

func (s *section) declare(k kind, name, help string, labels []string) *family {
	f := &family{name: name, help: help, kind: k, labels: labels, desc: prometheus.NewDesc(name, help, labels, nil)}
	s.families = append(s.families, f)
	return f
}

func (s *section) counter(name, help string, labels ...string) *family {
	return s.declare(counter, name, help, labels)
}

func (s *section) gauge(name, help string, labels ...string) *family {
	return s.declare(gauge, name, help, labels)
}

func (s *section) histogram(name, help string, labels ...string) *family {
	return s.declare(histogram, name, help, labels)
}

// sections are all there are, in the order of the reference.
var sections = []*section{
	nimEth, traffic, sessions, requests, talks, tables, records, filters, stores, pluginProcesses, pluginWork, pluginOwn, operators, builds,
}

// Reference returns the names, types, labels and meanings of all metrics, in Markdown.
func Reference() string {
	var b strings.Builder
	b.WriteString(`# Metrics

What a host shows at ` + "`/metrics`" + `. Counters begin at zero with the host; those of a plugin's process begin anew with the process,
as Prometheus expects. Next to these come ` + "`go_*`" + ` and ` + "`process_*`" + `, about the host as a program.

Strangers add no series. A TALK protocol has a label of its own once it was served here, up to 256 of them, or was asked for by this
host and its plugins, up to 64 more; all others are ` + "`other`" + `. One that is no plain text, or could be taken for something else, is shown as its bytes: ` + "`0x00ff`" + `.
Histograms of durations have the same classes, from 50 µs to 10 s.
`)
	for _, s := range sections {
		fmt.Fprintf(&b, "\n## %s\n\n| name | type | labels | meaning |\n|---|---|---|---|\n", s.title)
		for _, f := range s.families {
			labels := ""
			if len(f.labels) > 0 {
				labels = "`" + strings.Join(f.labels, "` `") + "`"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.name, f.kind, labels, strings.ReplaceAll(f.help, "|", `\|`))
		}
	}
	b.WriteString(`
## What plugins keep themselves

A plugin that is granted "metrics" may have metrics of its own. They appear as ` + "`" + customPrefix + "`" + ` and the plugin's name for the
metric, with the label ` + "`plugin`" + ` added: at most 64 metrics with 1,024 samples per plugin. When two plugins give the same name
different types, the type of the plugin whose id comes first counts, and the samples of the other one are left out.
`)
	return b.String()
}

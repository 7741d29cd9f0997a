package cli

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/discv5/host/cmd/host/internal/admin"
	"github.com/spf13/cobra"
)

func newStatus() *cobra.Command {
	return operating(&cobra.Command{
		Use:   "status",
		Short: "Show how a running host is",
		Long: `Show how a running host is, on one screen: what is wrong first, then who it is, where others reach it, whom it knows and what its
plugins do. With --json it is the document of /v1/status alone.`,
		Example: `  host status
  host status --json | jq .readiness`,
		Args: arguments(0, 0),
	}, func(r *remote, _ []string) error {
		var all overview
		if err := r.get("/v1/status", &all.status); err != nil {
			return err
		}
		if r.json {
			return printJSON(r.cmd.OutOrStdout(), all.status)
		}
		for path, document := range map[string]any{"/v1/endpoint": &all.endpoints, "/v1/plugins": &all.plugins, "/v1/filters": &all.filters, "/v1/node": &all.node} {
			if err := r.get(path, document); err != nil {
				return err
			}
		}
		return printRows(r.cmd.OutOrStdout(), all.rows())
	})
}

// overview is what the screen is made of.
type overview struct {
	status    admin.Status
	node      admin.NodeView
	endpoints admin.EndpointsView
	plugins   admin.PluginsView
	filters   admin.FiltersView
}

func (o *overview) rows() (rows []row) {
	st := &o.status
	add := func(name, format string, args ...any) { rows = append(rows, row{name, fmt.Sprintf(format, args...)}) }
	name := "problems"
	for _, p := range o.problems() {
		add(name, "%s", p)
		name = " "
	}
	if name == "problems" {
		add(name, "none")
	}
	add("version", "%s, up %s", dash(st.Version), span(time.Duration(st.UptimeSeconds*float64(time.Second))))
	add("", "")
	add("node id", "%s", peopleID(st.NodeID))
	add("record", "%s", st.ENR)
	add(" ", "seq %d, %d of %d bytes", st.Seq, o.node.Record.Size, o.node.Record.Max)
	add("listen", "%s", joined(st.Listen))
	for _, e := range o.endpoints.Endpoints {
		add(e.Family, "%s", endpointText(e))
	}
	add("", "")
	add("table", "%s, %d answer", count(st.Nodes, "node"), st.Verified)
	add("sessions", "%d, %s under way, %s since the start", st.Sessions, count(st.Requests, "request"), count(st.Lookups, "lookup"))
	add("received", "%s, %s, last %s", count(st.Traffic.PacketsReceived, "packet"), size(st.Traffic.BytesReceived), ago(st.Traffic.LastRead))
	add("sent", "%s, %s", count(st.Traffic.PacketsSent, "packet"), size(st.Traffic.BytesSent))
	add("bans", "%d", st.Bans)
	add("store", "%s", storeText(st.Store, o.hasStore()))
	if r := st.Reload; r != nil {
		add("last reload", "%s, %s", r.Outcome(), ago(r.At))
	}
	part := func(name string, names, texts []string) {
		width := 0
		for _, n := range names {
			width = max(width, len(n))
		}
		if len(names) > 0 {
			add("", "")
		}
		for i, n := range names {
			add(name, "%-*s  %s", width, n, texts[i])
			name = " "
		}
	}
	var names, texts []string
	for _, p := range o.plugins.Plugins {
		names, texts = append(names, p.ID), append(texts, pluginText(p))
	}
	part("plugins", names, texts)
	names, texts = nil, nil
	for _, f := range o.filters.Filters {
		names, texts = append(names, f.Name), append(texts, filterText(f))
	}
	part("filters", names, texts)
	return rows
}

// problems is what an operator should look at.
func (o *overview) problems() (all []string) {
	st := &o.status
	for _, p := range st.Readiness.Problems {
		all = append(all, "not ready: "+p)
	}
	if st.RecordError != "" {
		all = append(all, "the newest record is not saved: "+st.RecordError)
	}
	if st.Store.Error != "" {
		all = append(all, "store: "+st.Store.Error)
	}
	for _, e := range o.endpoints.Endpoints {
		if e.Reachable == "unreachable" {
			all = append(all, e.Family+": others do not reach this node")
		}
	}
	for _, p := range o.plugins.Plugins {
		if p.State == "running" || p.State == "declared" || p.State == "disabled" && p.Reason == "" {
			continue
		}
		text := fmt.Sprintf("plugin %s is %s", p.ID, standingOf(p.State))
		if p.Reason != "" {
			text += ": " + p.Reason
		}
		if p.Hint != "" {
			text += " (" + p.Hint + ")"
		}
		all = append(all, text)
	}
	if r := st.Reload; r != nil && r.Outcome() == "refused" {
		all = append(all, refusedText(r.Refused))
	}
	return all
}

// refusedText names the first of what a reload refused.
func refusedText(all []admin.Refusal) string {
	first := all[0]
	text := fmt.Sprintf("the last reload refused %s: %s: %s", count(len(all), "change"), first.What, first.Why)
	if first.Hint != "" {
		text += " (" + first.Hint + ")"
	}
	if len(all) > 1 {
		text += "; host status --json has the others"
	}
	return text
}

func (o *overview) hasStore() bool {
	for _, p := range o.plugins.Plugins {
		if p.Kind == "store" && p.State != "disabled" {
			return true
		}
	}
	return false
}

func joined(all []netip.AddrPort) string {
	var texts []string
	for _, at := range all {
		texts = append(texts, at.String())
	}
	return dash(strings.Join(texts, ", "))
}

func endpointText(e admin.EndpointView) string {
	parts := []string{"no address published"}
	if e.Published.IsValid() {
		parts[0] = e.Published.String()
	}
	if e.Pinned {
		parts = append(parts, "pinned")
	}
	parts = append(parts, map[string]string{"unknown": "reachability unknown"}[e.Reachable])
	if parts[len(parts)-1] == "" {
		parts[len(parts)-1] = e.Reachable
	}
	votes := fmt.Sprintf("%s, %d needed", count(e.Voters, "vote"), e.Threshold)
	for i, v := range e.Votes {
		if i == 3 {
			votes += ", …"
			break
		}
		votes += fmt.Sprintf(", %v has %d", netip.AddrPortFrom(v.Addr, v.Port), v.Votes)
	}
	return strings.Join(append(parts, votes), "; ")
}

func storeText(s admin.StoreView, there bool) string {
	if !there {
		return "none, everything is forgotten at the end"
	}
	text := fmt.Sprintf("%s written, %d waiting, %s read at the start", count(s.Written, "change"), s.Waiting, count(s.Seeds, "node"))
	if s.Dropped > 0 || s.Failures > 0 {
		text += fmt.Sprintf(", %d dropped, %s", s.Dropped, count(s.Failures, "failure"))
	}
	return text
}

func pluginText(p admin.PluginView) string {
	text := fmt.Sprintf("%s for %s", p.State, span(time.Since(p.Since)))
	if p.Restarts > 0 {
		text += ", " + count(p.Restarts, "restart") + " after crashes"
	}
	return text
}

func filterText(f admin.FilterView) string {
	accepted, rejected := tally(f)
	text := fmt.Sprintf("%d accepted, %d rejected", accepted, rejected)
	if f.DryRun {
		text += ", decides nothing (dry run)"
	}
	if f.Failures > 0 {
		text += ", " + count(f.Failures, "failure")
	}
	return text
}

// tally counts what a filter decided.
func tally(f admin.FilterView) (accepted, rejected uint64) {
	for _, d := range f.Decisions {
		switch d.Decision {
		case "accept":
			accepted += d.Count
		case "reject":
			rejected += d.Count
		}
	}
	return accepted, rejected
}

package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/discv5/host/cmd/host/internal/admin"
	"github.com/spf13/cobra"
)

func newFilter() *cobra.Command {
	return group(&cobra.Command{
		Use:   "filter",
		Short: "Try filters, and look at those of a running host",
		Long: `Try filters, and look at those of a running host. A filter is asked at up to three stages: may a node enter the table, may it be
served to others, may it be delivered to lookups, plugins and the API. All filters of a stage must accept.

list and explain are about the filters of a running host; test and forks need none.`,
		Example: `  host filter test --expr 'fork("mainnet").accepts(enr)' records.txt
  host filter forks
  host filter list
  host filter explain enr:…`,
	}, newFilterList(), newFilterExplain(), newFilterTest(), newFilterForks())
}

func newFilterList() *cobra.Command {
	return operating(&cobra.Command{
		Use:   "list",
		Short: "List the filters and what they decided",
		Args:  arguments(0, 0),
	}, func(r *remote, _ []string) error {
		var v admin.FiltersView
		if err := r.get("/v1/filters", &v); err != nil {
			return err
		}
		return r.printed(v, func() error { return printFilters(r, v.Filters) })
	})
}

func printFilters(r *remote, all []admin.FilterView) error {
	out := r.cmd.OutOrStdout()
	filters := newSheet("FILTER", "MODE", "ACCEPTED", "REJECTED", "CALLS", "FAILURES", "WAITING", "MEAN")
	decisions := newSheet("FILTER", "STAGE", "DECISION", "REASON", "COUNT")
	number := func(n uint64) string { return strconv.FormatUint(n, 10) }
	for _, f := range all {
		mode, mean := "decides", "-"
		if f.DryRun {
			mode = "dry run"
		}
		if f.Calls > 0 {
			mean = round(time.Duration(f.Seconds / float64(f.Calls) * float64(time.Second))).String()
		}
		accepted, rejected := tally(f)
		filters.add(f.Name, mode, number(accepted), number(rejected), number(f.Calls), number(f.Failures), strconv.Itoa(f.Waiting), mean)
		for _, d := range f.Decisions {
			decisions.add(f.Name, d.Stage, d.Decision, dash(d.Reason), number(d.Count))
		}
	}
	if err := filters.print(out, "no filters: every node passes"); err != nil || len(all) == 0 {
		return err
	}
	if _, err := fmt.Fprintln(out); err != nil {
		return err
	}
	return decisions.print(out, "nothing was decided yet")
}

func newFilterExplain() *cobra.Command {
	return operating(&cobra.Command{
		Use:   "explain ENR|ID",
		Short: "Ask every filter of a running host about a node",
		Long: `Ask every filter of a running host about a node, stage by stage: which filter says what, and why. The node is named by a record, or
by the id of one that the host knows. Filters decide anew, each by what it knows now, and the host does nothing about it. A bootnode
enters the table whatever they say.`,
		Example: `  host filter explain enr:…`,
		Args:    arguments(1, 1),
	}, func(r *remote, args []string) error {
		var v admin.Explained
		if err := r.call("host_filterExplain", []any{args[0]}, &v); err != nil {
			return err
		}
		return r.printed(v, func() error { return printExplained(r, v) })
	})
}

func printExplained(r *remote, v admin.Explained) error {
	out := r.cmd.OutOrStdout()
	if _, err := fmt.Fprintf(out, "node %s\n\n", plain(peopleID(v.NodeID))); err != nil {
		return err
	}
	s := newSheet("STAGE", "FILTER", "SAYS", "REASON", "HOLDS", "NOTE")
	for _, stage := range []string{"table", "serve", "deliver"} {
		passes, ok := v.Passes[stage]
		if !ok {
			continue
		}
		verdict := "passes"
		if !passes {
			verdict = "REJECTED"
		}
		s.add(stage, "", verdict)
		for _, x := range v.Verdicts {
			if x.Stage != stage {
				continue
			}
			holds, note := "until it changes", x.Error
			if x.TTLSeconds > 0 {
				holds = span(time.Duration(x.TTLSeconds * float64(time.Second)))
			}
			switch {
			case x.Exempt:
				note = strings.TrimSuffix("a bootnode, does not count: "+x.Error, ": ")
			case x.DryRun:
				note = strings.TrimSuffix("dry run, does not count: "+x.Error, ": ")
			}
			s.add("", x.Filter, x.Decision, dash(x.Reason), holds, note)
		}
	}
	return s.print(out, "no stages")
}

package cli

import (
	"fmt"

	"github.com/discv5/host/cmd/host/internal/admin"
	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/cmd/host/internal/logging"
	"github.com/spf13/cobra"
)

func newReload() *cobra.Command {
	return operating(&cobra.Command{
		Use:   "reload",
		Short: "Make a running host take in its configuration anew",
		Long: `Make a running host take in its configuration anew, like the signal HUP: plugins, filters, bootnodes, log level, bans and limits.
Shown is what changed, what was refused and why, and what needs a restart. What was refused goes on as it was; then the exit
status is 1.`,
		Args: arguments(0, 0),
	}, func(r *remote, _ []string) error {
		var v admin.ReloadResult
		if err := r.call("host_reload", nil, &v); err != nil {
			return err
		}
		return r.reloaded(v)
	})
}

// reloaded shows what came of a reload, and is an error when something was refused.
func (r *remote) reloaded(v admin.ReloadResult) error {
	if err := r.printed(v, func() error { return printReload(r, v) }); err != nil {
		return err
	}
	if n := len(v.Refused); n > 0 {
		return hint.New(count(n, "change")+" refused", "what was refused goes on as it was; mend it and reload again")
	}
	return nil
}

func printReload(r *remote, v admin.ReloadResult) error {
	var rows []row
	add := func(name string, all []string) {
		for _, text := range all {
			rows = append(rows, row{name, text})
			name = " "
		}
	}
	add("changed", v.Changed)
	add("needs a restart", v.Restart)
	var refused []string
	for _, x := range v.Refused {
		refused = append(refused, fmt.Sprintf("%s: %s", x.What, x.Why))
		if x.Hint != "" {
			refused = append(refused, "hint: "+x.Hint)
		}
	}
	add("refused", refused)
	add("unchanged", v.Unchanged)
	if len(v.Changed)+len(v.Restart)+len(v.Refused) == 0 {
		rows = append([]row{{"changed", "nothing"}}, rows...)
	}
	return printRows(r.cmd.OutOrStdout(), rows)
}

func newLogLevel() *cobra.Command {
	return operating(&cobra.Command{
		ValidArgsFunction: cobra.FixedCompletions(logging.Levels, cobra.ShellCompDirectiveNoFileComp),

		Use:   "log-level [LEVEL]",
		Short: "Show or change the log level of a running host",
		Long: `Show the least important messages that a running host logs, or change them until it reloads or ends: trace, debug, info, warn, error
or off.`,
		Example: `  host log-level debug`,
		Args:    arguments(0, 1),
	}, func(r *remote, args []string) error {
		var v admin.LogLevelView
		params := []any{}
		for _, level := range args {
			params = append(params, level)
		}
		if err := r.call("host_logLevel", params, &v); err != nil {
			return err
		}
		return r.printed(v, func() error { return r.say("%s", v.Level) })
	})
}

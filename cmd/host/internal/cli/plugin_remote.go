package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/discv5/host/cmd/host/internal/admin"
	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// completePatience is how long a shell waits for the names of plugins.
const completePatience = time.Second

func newPluginList() *cobra.Command {
	return operating(&cobra.Command{
		Use:   "list",
		Short: "List the plugins of a running host",
		Args:  arguments(0, 0),
	}, func(r *remote, _ []string) error {
		var v admin.PluginsView
		if err := r.get("/v1/plugins", &v); err != nil {
			return err
		}
		return r.printed(v, func() error {
			s := newSheet("PLUGIN", "STATE", "FOR", "RESTARTS", "PID", "CPU", "MEMORY", "SERVES", "REASON")
			for _, p := range v.Plugins {
				pid, cpu, memory := "-", "-", "-"
				if p.PID != 0 {
					pid, cpu, memory = strconv.Itoa(p.PID), seconds(p.CPUSeconds), size(p.RSSBytes)
				}
				s.add(p.ID, p.State, span(time.Since(p.Since)), strconv.FormatUint(p.Restarts, 10), pid, cpu, memory, dash(protocolList(p.Protocols)), dash(p.Reason))
			}
			return s.print(r.cmd.OutOrStdout(), "no plugins")
		})
	})
}

// standingOf is a state in a sentence.
func standingOf(state string) string {
	if state == "backoff" {
		return "waiting for its next start"
	}
	return state
}

func seconds(s float64) string { return round(time.Duration(s * float64(time.Second))).String() }

func protocolList(all []admin.ProtocolID) string {
	var texts []string
	for _, p := range all {
		texts = append(texts, protocolText([]byte(p.Text)))
	}
	return strings.Join(texts, ", ")
}

// onPlugin makes a command that takes the name of a plugin of a running host.
func onPlugin(cmd *cobra.Command, run func(r *remote, plugin string) error) *cobra.Command {
	cmd.Use += " NAME"
	cmd.Args = arguments(1, 1)
	cmd = operating(cmd, func(r *remote, args []string) error { return run(r, args[0]) })
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		r := &remote{cmd: cmd}
		r.givenOnce()
		r.socket, _ = cmd.Flags().GetString("socket") // operating has made both
		r.tokenFile, _ = cmd.Flags().GetString("token-file")
		return r.pluginNames(), cobra.ShellCompDirectiveNoFileComp
	}
	return cmd
}

// givenOnce makes one of each configuration file that was given: to complete a command line, cobra reads its flags twice.
func (r *remote) givenOnce() {
	files, ok := r.cmd.Flags().Lookup("config").Value.(pflag.SliceValue)
	if !ok {
		return
	}
	var once []string
	for _, path := range files.GetSlice() {
		if !slices.Contains(once, path) {
			once = append(once, path)
		}
	}
	_ = files.Replace(once) // they were accepted before
}

// pluginNames are the plugins of the host that is meant; without a host there are none.
func (r *remote) pluginNames() (names []cobra.Completion) {
	ctx, cancel := context.WithTimeout(context.Background(), completePatience)
	defer cancel()
	client, err := r.dial(ctx)
	if err != nil {
		return nil
	}
	defer client.Close()
	var v admin.PluginsView
	if client.Get(ctx, "/v1/plugins", &v) != nil {
		return nil
	}
	for _, p := range v.Plugins {
		names = append(names, cobra.CompletionWithDesc(p.ID, p.State))
	}
	return names
}

func newPluginStatus() *cobra.Command {
	return onPlugin(&cobra.Command{
		Use:   "status",
		Short: "Show how a plugin of a running host is",
		Long:  `Show how a plugin of a running host is: its state and what led to it, what it serves and costs, and how the process before ended.`,
	}, func(r *remote, plugin string) error {
		var p admin.PluginView
		if err := r.call("host_plugin", []any{plugin}, &p); err != nil {
			return err
		}
		return r.printed(p, func() error { return printRows(r.cmd.OutOrStdout(), pluginRows(p)) })
	})
}

func pluginRows(p admin.PluginView) (rows []row) {
	add := func(name, value string) {
		if value != "" {
			rows = append(rows, row{name, value})
		}
	}
	yes := func(is bool, text string) string {
		if is {
			return text
		}
		return ""
	}
	add("plugin", p.ID)
	add("state", fmt.Sprintf("%s for %s", p.State, span(time.Since(p.Since))))
	add("reason", p.Reason)
	add("hint", p.Hint)
	add("source", p.Source+yes(p.Pinned, ", checksum checked"))
	add("required", yes(p.Required, "the host is not ready without it"))
	add("restarts", fmt.Sprintf("%d after crashes", p.Restarts))
	if p.Program != "" {
		add("program", strings.TrimSpace(p.Program+" "+p.Version)+yes(p.Summary != "", ": "+p.Summary))
	}
	add("protocols", protocolList(p.Protocols))
	add("grants", strings.Join(p.Grants, ", "))
	if p.PID != 0 {
		add("process", fmt.Sprintf("%d, started %s, %s of CPU, %s of memory", p.PID, ago(p.Started), seconds(p.CPUSeconds), size(p.RSSBytes)))
	}
	if t := p.Talk; t != nil {
		add("requests", fmt.Sprintf("%d, of them %d answered, %d late, %d failed, %d too large", t.Requests, t.Answered, t.Late, t.Failed, t.TooLarge))
		add("now", fmt.Sprintf("%d in flight, %d queued", t.InFlight, t.Queued))
		for reason, n := range sortedCounts(t.Shed) {
			add("not asked", fmt.Sprintf("%d: %s", n, reason))
		}
	}
	if c := p.Calls; c != nil {
		add("calls", fmt.Sprintf("%d, %s", c.Calls, count(c.Failures, "failure")))
	}
	for _, c := range p.HostCalls {
		add("host calls", fmt.Sprintf("%s: %d %s", c.Call, c.Count, c.Result))
	}
	if x := p.LastExit; x != nil {
		add("last exit", fmt.Sprintf("%s, %s", x.Reason, ago(x.At)))
	}
	return rows
}

func newPluginLogs() *cobra.Command {
	var lines int
	cmd := onPlugin(&cobra.Command{
		Use:   "logs",
		Short: "Show what a plugin of a running host wrote last",
		Long: `Show what a plugin of a running host wrote last. The host keeps the last 20 lines, up to 4 KiB, of the present process and of the one
before, whose end is shown with them; everything goes to the log of the host.`,
	}, func(r *remote, plugin string) error {
		if lines < 0 {
			return usage(r.cmd, hint.New(fmt.Sprintf("--lines %d is out of range", lines), "use a number from 1, or 0 for all that are kept"))
		}
		params := []any{plugin}
		if lines > 0 {
			params = append(params, lines)
		}
		var v admin.LogsView
		if err := r.call("host_pluginLogs", params, &v); err != nil {
			return err
		}
		return r.printed(v, func() error { return printLogs(r, v) })
	})
	cmd.Flags().IntVar(&lines, "lines", 0, "`count` of lines of each process, 0 for all that are kept")
	return cmd
}

func printLogs(r *remote, v admin.LogsView) error {
	if x := v.LastExit; x != nil {
		for _, line := range x.Lines {
			if err := r.say("%s", line); err != nil {
				return err
			}
		}
		if err := r.say("--- %s, %s ---", x.Reason, ago(x.At)); err != nil {
			return err
		}
	}
	for _, line := range v.Lines {
		if err := r.say("%s", line); err != nil {
			return err
		}
	}
	if len(v.Lines) == 0 {
		fmt.Fprintf(r.cmd.ErrOrStderr(), "note: %s is %s and has written nothing\n", plain(v.ID), plain(standingOf(v.State)))
	}
	return nil
}

// newPluginAction makes a command that does something to a plugin.
func newPluginAction(use, short, long, method string) *cobra.Command {
	return onPlugin(&cobra.Command{Use: use, Short: short, Long: long}, func(r *remote, plugin string) error {
		var p admin.PluginView
		if err := r.call(method, []any{plugin}, &p); err != nil {
			return err
		}
		return r.printed(p, func() error { return r.say("%s is %s", p.ID, standingOf(p.State)) })
	})
}

// newPluginActions are the commands that do something to a plugin.
func newPluginActions() []*cobra.Command {
	return []*cobra.Command{
		newPluginAction("restart", "Start a plugin anew",
			`Start a plugin of a running host anew, whatever ended it. One that runs is replaced by a new process without losing a request.`, "host_pluginRestart"),
		newPluginAction("disable", "End a plugin until it is enabled",
			`Drain a plugin of a running host and end it, until it is enabled or restarted, or the host is.`, "host_pluginDisable"),
		newPluginAction("enable", "Start a plugin that does not run", `Start a plugin of a running host that does not run.`, "host_pluginEnable"),
		onPlugin(&cobra.Command{
			Use:   "reload",
			Short: "Take in a plugin's configuration and program anew",
			Long: `Take in the configuration of one plugin of a running host anew, and its program: it is replaced by a new process without losing a
request. If the new one does not start, the old one goes on, and the exit status is 1.`,
		}, func(r *remote, plugin string) error {
			var v admin.ReloadResult
			if err := r.call("host_pluginReload", []any{plugin}, &v); err != nil {
				return err
			}
			return r.reloaded(v)
		}),
	}
}

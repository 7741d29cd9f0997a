package cli

import (
	"context"
	"fmt"
	"io"
	"os/signal"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// Exit statuses.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// Main runs the command line args (without the program's name) and returns the exit status. The first interrupt or
// termination signal ends the command's context, the second one the process.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), stopSignals...)
	defer stop()
	context.AfterFunc(ctx, stop)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out := newOutput(stdout, cancel)

	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(out)
	root.SetErr(stderr)
	err := misspelt(root, args)
	if err == nil {
		err = root.ExecuteContext(ctx)
	}
	if failed := out.failed(); failed != nil {
		err = failed // also where the command took no notice, like cobra's help
	}
	return report(stderr, err)
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "host",
		Short: "A node of Ethereum's discovery network (Node Discovery v5.1)",
		Long: `host is a node of Ethereum's discovery network (Node Discovery v5.1).

It keeps a table of other nodes, answers their questions, and finds nodes for you.

  host dev                  try it: a network on this machine, no configuration
  host run                  run a node; host run --network mainnet joins a public network
  host ping enr:…           ask a node, as do findnode, talk, resolve and lookup

Results go to stdout, everything else to stderr; with --json a result is JSON, in which ids of nodes begin with 0x. Arguments may have it or
leave it out. The exit status is 0 for success, 1 for a
failure, 2 for a command line that cannot be understood. An argument that should be a node record and is none counts as the
latter, but not for host enr, whose work is to judge it: its status is 1. A setting with a bad value is a 2 as a flag, and a 1 in
a file or a variable.`,
		SilenceErrors: true, // report prints them
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(flagError)
	// The line of a group says COMMAND already; cobra would add one that says it again.
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(), "{{if .HasAvailableSubCommands}}\n  {{.CommandPath}} [command]{{end}}", "", 1))
	group(root)
	for _, g := range []struct {
		title    string
		commands []*cobra.Command
	}{
		{"Run a node:", []*cobra.Command{newDev(), newRun(), newValidate(), newConfig(), newKey()}},
		{"Ask the network:", []*cobra.Command{newPing(), newFindnode(), newTalk(), newResolve(), newLookup(), newCrawl()}},
		{"Operate a running host:", []*cobra.Command{newStatus(), newNodes(), newPlugin(), newFilter(), newBan(), newStore(), newEvents(), newReload(), newLogLevel()}},
		{"Others:", []*cobra.Command{newEnr(), newCompletion(root), newVersion()}},
	} {
		root.AddGroup(&cobra.Group{ID: g.title, Title: g.title})
		for _, cmd := range g.commands {
			cmd.GroupID = g.title
		}
		root.AddCommand(g.commands...)
	}
	root.SetHelpCommandGroupID("Others:")
	finish(root)
	return root
}

// finish gives cmd and those below it what they have in common: a help text of whole sentences, and words to complete flags with.
func finish(cmd *cobra.Command) {
	if cmd.Long == "" {
		cmd.Long = cmd.Short + "."
	}
	completeFlags(cmd)
	for _, sub := range cmd.Commands() {
		finish(sub)
	}
}

// groupArgument ends the usage of a group.
const groupArgument = " COMMAND"

// misspelt finds a command that there is not where help is asked for: cobra would explain the group that it is looked for in.
func misspelt(root *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case args[0] == "help":
		args = args[1:]
	case !slices.Contains(args, "--help") && !slices.Contains(args, "-h") || strings.HasPrefix(args[0], "__"):
		return nil
	}
	cmd, rest, err := root.Find(args)
	if err != nil || !strings.HasSuffix(cmd.Use, groupArgument) {
		return nil // cobra has something to say about it
	}
	for _, word := range rest {
		if !strings.HasPrefix(word, "-") {
			return unknownCommand(cmd, word)
		}
	}
	return nil
}

// group makes cmd a command that does nothing itself: a missing or an unknown subcommand is a usage error.
func group(cmd *cobra.Command, sub ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(sub...)
	cmd.Args = cobra.ArbitraryArgs // cobra would report an unknown subcommand as a plain error
	cmd.DisableFlagsInUseLine = true
	cmd.Use += groupArgument
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			fmt.Fprintln(cmd.ErrOrStderr(), cmd.UsageString())
			return usage(cmd, fmt.Errorf("%s needs a command", cmd.CommandPath()))
		}
		return unknownCommand(cmd, args[0])
	}
	return cmd
}

// arguments accepts between low and high arguments.
func arguments(low, high int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < low:
			return usage(cmd, fmt.Errorf("%s needs more arguments: %s", cmd.CommandPath(), cmd.UseLine()))
		case len(args) > high:
			return usage(cmd, fmt.Errorf("%s takes no argument %q: %s", cmd.CommandPath(), args[high], cmd.UseLine()))
		}
		return nil
	}
}

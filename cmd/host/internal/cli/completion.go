package cli

import (
	"io"

	"github.com/discv5/host/cmd/host/internal/config"
	"github.com/discv5/host/cmd/host/internal/crawl"
	"github.com/discv5/host/cmd/host/internal/logging"
	"github.com/discv5/host/cmd/host/internal/networks"
	"github.com/discv5/host/cmd/host/internal/scaffold"
	"github.com/spf13/cobra"
)

// completeFlags lets shells offer the words that flags of cmd take, those that stand for a choice.
func completeFlags(cmd *cobra.Command) {
	words := map[string][]string{"network": networks.Names(), "log-level": logging.Levels, "format": crawl.Formats, "lang": scaffold.Langs, "stage": {"table", "serve", "deliver"}}
	for _, key := range config.NewReference().Settings {
		if key.Flag != "" && len(key.OneOf) > 0 {
			words[key.Flag] = key.OneOf
		}
	}
	for flag, choice := range words {
		if cmd.Flags().Lookup(flag) != nil {
			_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(choice, cobra.ShellCompDirectiveNoFileComp)) // one that it has counts
		}
	}
}

// newCompletion makes the command that prints scripts for shells.
func newCompletion(root *cobra.Command) *cobra.Command {
	script := func(shell, long string, write func(io.Writer) error) *cobra.Command {
		return &cobra.Command{
			Use: shell, Short: "Print the script for " + shell, Long: long, Args: arguments(0, 0),
			RunE: func(cmd *cobra.Command, _ []string) error { return write(cmd.OutOrStdout()) },
		}
	}
	return group(&cobra.Command{
		DisableSuggestions: true, // the names of shells are all alike

		Use:   "completion",
		Short: "Complete commands in a shell",
		Long:  `Print a script that makes a shell complete the commands of host, their flags and, while a host runs, the names of its plugins.`,
		Example: `  source <(host completion bash)
  host completion zsh > "${fpath[1]}/_host"
  host completion fish > ~/.config/fish/completions/host.fish`,
	},
		script("bash", "Print the script for bash, which needs the package bash-completion. For every shell: put the output into a file of\n/etc/bash_completion.d or ~/.local/share/bash-completion/completions, named host.", func(w io.Writer) error { return root.GenBashCompletionV2(w, true) }),
		script("zsh", "Print the script for zsh. Put the output into a file _host in a folder of fpath, and start zsh anew.", root.GenZshCompletion),
		script("fish", "Print the script for fish. Put the output into ~/.config/fish/completions/host.fish.", func(w io.Writer) error { return root.GenFishCompletion(w, true) }),
		script("powershell", "Print the script for PowerShell. For every shell: add the output to the file $PROFILE.", root.GenPowerShellCompletionWithDesc),
	)
}

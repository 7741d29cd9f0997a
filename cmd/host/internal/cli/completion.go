package cli

import (
	"io"

	"github.com/spf13/cobra"
)

// newCompletion makes the command that prints scripts for shells.
func newCompletion(root *cobra.Command) *cobra.Command {
	script := func(shell, long string, write func(io.Writer) error) *cobra.Command {
		return &cobra.Command{
			Use: shell, Short: "Print the script for " + shell, Long: long, Args: arguments(0, 0),
			RunE: func(cmd *cobra.Command, _ []string) error { return write(cmd.OutOrStdout()) },
		}
	}
	return group(&cobra.Command{
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

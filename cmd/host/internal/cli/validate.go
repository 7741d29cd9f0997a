package cli

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/discv5/host/cmd/host/internal/config"
	"github.com/discv5/host/cmd/host/internal/daemon"
	"github.com/spf13/cobra"
)

func newValidate() *cobra.Command {
	var describe bool
	cmd := &cobra.Command{
		Use:   "validate",
		Short: "Check a configuration",
		Long: `Check a configuration without running anything of it, and report every mistake at once: the files, the variables and the flags, just
as host run takes them.

With --plugins each enabled plugin is started, asked what it is, and ended: so its config block is checked too, and whether it gets
the grants that it needs. It is not configured and sees no network.`,
		Example: `  host validate --config config.hcl
  host validate --config conf.d --plugins`,
		Args: arguments(0, 0),
	}
	config.Flags(cmd.Flags())
	cmd.Flags().BoolVar(&describe, "plugins", false, "start the plugins to ask what they are")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		loaded, err := config.Load(cmd.Context(), config.Sources{Env: os.Environ(), Flags: cmd.Flags()})
		if err != nil {
			return err
		}
		run := ""
		if describe {
			if run, err = os.MkdirTemp(daemon.SocketDir(), "host-plugin-"); err != nil {
				return err
			}
			defer os.RemoveAll(run)
		}
		found, problems, err := daemon.Inspect(cmd.Context(), loaded, run)
		if err != nil {
			return err
		}
		if len(problems) > 0 {
			return problems
		}
		return printValid(cmd.OutOrStdout(), loaded, found)
	}
	return cmd
}

// printValid says what a configuration that is right is made of.
func printValid(w io.Writer, loaded *config.Loaded, found []daemon.Inspection) error {
	files := "none, only defaults, variables and flags"
	if len(loaded.Files) > 0 {
		files = strings.Join(loaded.Files, ", ")
	}
	rows := []row{{"files", files}}
	if loaded.Config.Dev {
		rows = append(rows, row{"profile", "dev"})
	}
	known := make(map[*config.Plugin]daemon.Inspection)
	for _, i := range found {
		known[i.Plugin] = i
	}
	warnings := loaded.Warnings
	for _, p := range loaded.Plugins {
		i, enabled := known[p]
		rows = append(rows, row{p.Kind + "." + p.Name, p.Source + pluginSummary(i, enabled)})
		if _, bundled := p.Builtin(); enabled && !bundled && p.SHA256 == "" {
			warnings = append(warnings, fmt.Sprintf("%s: plugin %q %q has no sha256: whatever is at its path runs", p.Where(""), p.Kind, p.Name))
		}
	}
	if _, err := fmt.Fprintln(w, "configuration is valid"); err != nil {
		return err
	}
	if err := printRows(w, rows); err != nil {
		return err
	}
	for _, text := range warnings {
		if _, err := fmt.Fprintln(w, "warning:", plain(text)); err != nil {
			return err
		}
	}
	return nil
}

// pluginSummary is what is known of a plugin, behind its source.
func pluginSummary(i daemon.Inspection, enabled bool) string {
	switch {
	case !enabled:
		return ", disabled"
	case i.About == nil:
		return ""
	}
	text := fmt.Sprintf(", %s %s", i.About.GetName(), i.About.GetVersion())
	var ids []string
	for _, id := range i.Protocols() {
		ids = append(ids, config.ProtocolText(id))
	}
	if len(ids) > 0 {
		text += ", serves " + strings.Join(ids, " ")
	}
	return text
}

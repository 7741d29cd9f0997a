package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/discv5/host/cmd/host/internal/config"
	"github.com/discv5/host/cmd/host/internal/daemon"
	"github.com/discv5/host/sdk/pluginpb"
	"github.com/spf13/cobra"
)

func newValidate() *cobra.Command {
	var describe, asJSON bool
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
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, mistakes too")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		v, err := check(cmd, describe)
		problems, bad := errors.AsType[config.Problems](err)
		if err != nil && !bad {
			return err
		}
		if asJSON {
			return errors.Join(err, printJSON(cmd.OutOrStdout(), v.json(problems)))
		}
		if bad {
			return err
		}
		return v.print(cmd.OutOrStdout())
	}
	return cmd
}

// valid is a configuration that was checked.
type valid struct {
	loaded *config.Loaded // nil: it could not be loaded
	found  []daemon.Inspection
}

// check loads the configuration of cmd, and looks at its plugins. Mistakes are config.Problems.
func check(cmd *cobra.Command, describe bool) (v valid, err error) {
	if v.loaded, err = config.Load(cmd.Context(), config.Sources{Env: os.Environ(), Flags: cmd.Flags()}); err != nil {
		return valid{}, err
	}
	run := ""
	if describe {
		if run, err = os.MkdirTemp(daemon.SocketDir(), "host-plugin-"); err != nil {
			return v, err
		}
		defer os.RemoveAll(run)
	}
	var problems config.Problems
	if v.found, problems, err = daemon.Inspect(cmd.Context(), v.loaded, run); err == nil && len(problems) > 0 {
		err = problems
	}
	return v, err
}

// warnings are those of the configuration and of its plugins.
func (v valid) warnings() []string {
	all := append([]string{}, v.loaded.Warnings...)
	for _, i := range v.found {
		p := i.Plugin
		if _, bundled := p.Builtin(); !bundled && p.SHA256 == "" {
			all = append(all, fmt.Sprintf("%s: plugin %q %q has no sha256: whatever is at its path runs", p.Where(""), p.Kind, p.Name))
		}
	}
	return all
}

// verdict is the JSON of host validate.
type verdict struct {
	Valid    bool            `json:"valid"`
	Problems config.Problems `json:"problems"`
	Files    []string        `json:"files"`
	Plugins  []checkedPlugin `json:"plugins"`
	Warnings []string        `json:"warnings"`
}

type checkedPlugin struct {
	Kind    string       `json:"kind"`
	Name    string       `json:"name"`
	Source  string       `json:"source"`
	Enabled bool         `json:"enabled"`
	About   *description `json:"about,omitempty"`
}

func (v valid) json(problems config.Problems) verdict {
	out := verdict{len(problems) == 0, append(config.Problems{}, problems...), []string{}, []checkedPlugin{}, []string{}}
	if v.loaded == nil {
		return out
	}
	out.Files, out.Warnings = notNil(v.loaded.Files), v.warnings()
	for _, p := range v.loaded.Plugins {
		c := checkedPlugin{Kind: p.Kind, Name: p.Name, Source: p.Source, Enabled: p.Enabled}
		if about := v.about(p); about != nil {
			d := newDescription(about)
			c.About = &d
		}
		out.Plugins = append(out.Plugins, c)
	}
	return out
}

// about is what a plugin said of itself, nil when it was not asked.
func (v valid) about(p *config.Plugin) *pluginpb.Description {
	for _, i := range v.found {
		if i.Plugin == p {
			return i.About
		}
	}
	return nil
}

// print says what a configuration that is right is made of.
func (v valid) print(w io.Writer) error {
	files := "none, only defaults, variables and flags"
	if len(v.loaded.Files) > 0 {
		files = strings.Join(v.loaded.Files, ", ")
	}
	rows := []row{{"files", files}}
	if v.loaded.Config.Dev {
		rows = append(rows, row{"profile", "dev"})
	}
	for _, p := range v.loaded.Plugins {
		text := p.Source
		if !p.Enabled {
			text += ", disabled"
		} else if about := v.about(p); about != nil {
			text += fmt.Sprintf(", %s %s", about.GetName(), about.GetVersion())
		}
		rows = append(rows, row{p.Kind + "." + p.Name, text + v.served(p)})
	}
	if _, err := fmt.Fprintln(w, "configuration is valid"); err != nil {
		return err
	}
	if err := printRows(w, rows); err != nil {
		return err
	}
	for _, text := range v.warnings() {
		if _, err := fmt.Fprintln(w, "warning:", plain(text)); err != nil {
			return err
		}
	}
	return nil
}

// served tells which protocols a talk plugin will serve, as far as that is known.
func (v valid) served(p *config.Plugin) string {
	var ids []string
	for _, i := range v.found {
		if i.Plugin == p {
			for _, id := range i.Protocols() {
				ids = append(ids, config.ProtocolText(id))
			}
		}
	}
	if len(ids) == 0 {
		return ""
	}
	return ", serves " + strings.Join(ids, " ")
}

package cli

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/discv5/host/cmd/host/internal/config"
	"github.com/spf13/cobra"
)

func newConfig() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show the settings that hold, or all that there are",
		Long:  `Show the settings that hold and where each comes from, or explain all that there are. No running host is needed.`,
		Example: `  host config show --config config.hcl
  host config reference`,
	}
	return group(cmd, newConfigShow(), newConfigReference())
}

// shownConfig is the JSON of host config show.
type shownConfig struct {
	Files    []string         `json:"files"`
	Settings []config.Setting `json:"settings"`
	Warnings []string         `json:"warnings"`
}

func newConfigShow() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show the settings that hold, and where each comes from",
		Long: `Show every setting as host run would take it from the files, the variables and the flags: its value, and where that comes from. A
path is shown as it is used. Of the config block of a plugin there is what stands in it.

No secret is shown: neither admin.token, nor what file("…") read, nor what has the look of a secret in a plugin block.`,
		Example: `  host config show --config config.hcl
  host config show --config conf.d --log-level debug --json`,
		Args: arguments(0, 0),
	}
	config.Flags(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		loaded, err := config.Load(cmd.Context(), config.Sources{Env: os.Environ(), Flags: cmd.Flags()})
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(cmd.OutOrStdout(), shownConfig{notNil(loaded.Files), loaded.Settings(), notNil(loaded.Warnings)})
		}
		return printSettings(cmd.OutOrStdout(), loaded.Settings())
	}
	return cmd
}

func notNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// widestValue is how far values push the sources to the right; behind longer ones they stand where they can.
const widestValue = 40

// printSettings prints a line for each: key = value # source, in columns.
func printSettings(w io.Writer, all []config.Setting) error {
	keys, values := 0, 0
	for _, s := range all {
		keys = max(keys, utf8.RuneCountInString(plain(s.Key)))
		if n := utf8.RuneCountInString(plain(s.Text)); n <= widestValue {
			values = max(values, n)
		}
	}
	var b strings.Builder
	for _, s := range all {
		fmt.Fprintf(&b, "%-*s = %-*s  # %s\n", keys, plain(s.Key), values, plain(s.Text), plain(s.Source))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func newConfigReference() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "reference",
		Short: "Explain every setting there is",
		Long: `Explain every setting there is: what it is for, its type, default and bounds, its flag and its variable; then the keys of plugin
blocks. host plugin describe explains the config block of a plugin.`,
		Example: `  host config reference
  host config reference --json`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if asJSON {
				return printJSON(cmd.OutOrStdout(), config.NewReference())
			}
			return printReference(cmd.OutOrStdout(), config.NewReference())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, for editors and other programs")
	return cmd
}

func printReference(w io.Writer, r config.Reference) error {
	var b strings.Builder
	for _, k := range r.Settings {
		explainKey(&b, k)
	}
	common := func(k config.Key) bool {
		for _, keys := range r.Plugin {
			if !slices.ContainsFunc(keys, func(o config.Key) bool { return o.Key == k.Key }) {
				return false
			}
		}
		return true
	}
	kinds := config.Kinds()
	section(&b, "In every block plugin \"<kind>\" \"<name>\", with a kind of "+strings.Join(kinds, ", ")+":", r.Plugin[kinds[0]], common)
	for _, kind := range kinds {
		section(&b, fmt.Sprintf("In a block plugin %q \"<name>\" also:", kind), r.Plugin[kind], func(k config.Key) bool { return !common(k) })
	}
	_, err := io.WriteString(w, strings.TrimSuffix(b.String(), "\n"))
	return err
}

// section explains those of the keys that it is about, below a title.
func section(b *strings.Builder, title string, keys []config.Key, about func(config.Key) bool) {
	for _, k := range keys {
		if about(k) {
			if title != "" {
				b.WriteString(title + "\n\n")
				title = ""
			}
			explainKey(b, k)
		}
	}
}

// explainKey writes a key with what may be said of it, and an empty line.
func explainKey(b *strings.Builder, k config.Key) {
	fmt.Fprintf(b, "%s\n    %s\n", k.Key, k.Doc)
	kind := k.Type
	if k.Form != "" && k.Form != "text" {
		kind += ": " + k.Form
	}
	if k.Secret {
		kind += ", secret"
	}
	for _, line := range []row{
		{"type", kind}, {"words", strings.Join(k.OneOf, ", ")}, {"bounds", bounds(k)}, {"default", defaultText(k)}, {"with --dev", string(k.Dev)},
		{"flag", dashed(k.Flag)}, {"variable", k.Variable},
	} {
		if line.value != "" {
			fmt.Fprintf(b, "    %-10s  %s\n", line.name, line.value)
		}
	}
	b.WriteByte('\n')
}

func bounds(k config.Key) string {
	if k.Min == "" {
		return ""
	}
	return k.Min + " to " + k.Max
}

func defaultText(k config.Key) string {
	if k.Required {
		return "none, it must be there"
	}
	return string(k.Default)
}

func dashed(flag string) string {
	if flag == "" {
		return ""
	}
	return "--" + flag
}

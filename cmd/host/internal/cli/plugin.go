package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/discv5/host/cmd/host/internal/builtin"
	"github.com/discv5/host/cmd/host/internal/config"
	"github.com/discv5/host/cmd/host/internal/daemon"
	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/cmd/host/internal/scaffold"
	"github.com/discv5/host/plugins"
	"github.com/discv5/host/sdk/pluginpb"
	"github.com/discv5/host/sdk/sdktest"
	"github.com/spf13/cobra"
)

// describeLimit bounds the start, the description and the end of a plugin.
const describeLimit = 20 * time.Second

func newPlugin() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plugin",
		Short: "Make, test and operate plugins",
		Long: `Make, test and operate plugins: programs that speak a sub-protocol (talk), decide about node records (filter), or remember for
the host (store).

list, status, logs, restart, disable, enable and reload are about the plugins of a running host; NAME is like talk.echo, or echo
when no other plugin has that name.

new, describe and test need no running host. PROGRAM is the path of a plugin, or builtin:NAME for a bundled one. Options for this
command stand before it; what follows it are its own arguments.`,
		Example: `  host plugin new talk hello
  host plugin test ./hello
  host plugin describe builtin:bolt
  host plugin restart talk.hello`,
	}
	operate := append([]*cobra.Command{newPluginList(), newPluginStatus(), newPluginLogs()}, newPluginActions()...)
	return group(cmd, append(operate, newPluginDescribe(), newPluginTest(), newPluginNew())...)
}

// program is where a plugin's process comes from.
type program struct {
	path string
	args []string
}

// programOf reads PROGRAM [ARG…].
func programOf(args []string) (program, error) {
	name, bundled := strings.CutPrefix(args[0], "builtin:")
	if !bundled {
		path, err := filepath.Abs(args[0])
		return program{path, args[1:]}, err
	}
	if !builtin.Has(name) {
		return program{}, hint.New(fmt.Sprintf("there is no bundled plugin %q", name), "bundled are "+strings.Join(builtin.Names(), ", "))
	}
	self, err := os.Executable()
	return program{self, append([]string{builtin.Command, name}, args[1:]...)}, err
}

// describe asks a plugin what it is.
func (p program) describe(ctx context.Context) (*pluginpb.Description, error) {
	run, err := os.MkdirTemp(daemon.SocketDir(), "host-plugin-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(run)
	ctx, cancel := context.WithTimeout(ctx, describeLimit)
	defer cancel()
	block := plugins.Block{Kind: plugins.Talk, Name: "plugin", Source: p.path, Args: p.args} // of any kind: that is not looked at
	d, err := plugins.Describe(ctx, plugins.Config{RunDir: run}, block)
	if err != nil {
		return nil, hint.Wrap(errors.New("describe the plugin: "+strings.TrimPrefix(err.Error(), "plugins: "+block.ID()+": ")), plugins.Hint(err))
	}
	return d, nil
}

func newPluginDescribe() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "describe PROGRAM [ARG…]",
		Short: "Show what a plugin says about itself",
		Long: `Start a plugin, ask what it is, and end it: what it serves, which host calls it needs to be granted, and what its config block
may contain.`,
		Example: `  host plugin describe ./hello
  host plugin describe builtin:bolt`,
		Args: arguments(1, 100),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := programOf(args)
			if err != nil {
				return usage(cmd, err)
			}
			d, err := p.describe(cmd.Context())
			if err != nil {
				return err
			}
			about := newDescription(d)
			if asJSON {
				return printJSON(cmd.OutOrStdout(), about)
			}
			return about.print(cmd.OutOrStdout())
		},
	}
	cmd.Flags().SetInterspersed(false)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newPluginTest() *cobra.Command {
	var (
		file   string
		grants []string
		env    []string
	)
	cmd := &cobra.Command{
		Use:   "test PROGRAM [ARG…]",
		Short: "Check that a plugin keeps its contract",
		Long: `Start a plugin again and again and check that it keeps its contract with the host: how it starts, describes and configures itself,
that it answers every request exactly once, what it does with strange ones, and how it ends. It works with every program, in
whatever language. A line is printed for each check, and below it what is wrong.

A plugin that needs settings gets them from a file with what would stand in its config block.`,
		Example: `  host plugin test ./hello
  host plugin test --config hello.hcl ./hello
  host plugin test builtin:bolt`,
		Args: arguments(1, 100),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := programOf(args)
			if err != nil {
				return usage(cmd, err)
			}
			source := sdktest.Source{Path: p.path, Args: p.args}
			if cmd.Flags().Changed("env") {
				source.Env = env
			}
			if cmd.Flags().Changed("grant") {
				source.Grants = grants
			}
			if file != "" {
				if source.Config, err = configFor(cmd.Context(), p, file); err != nil {
					return err
				}
			}
			report := sdktest.RunContext(cmd.Context(), cmd.OutOrStdout(), source)
			if cmd.Context().Err() != nil {
				return errors.New("test the plugin: interrupted")
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d of %d checks passed in %v\n", len(report.Checks)-report.Failed, len(report.Checks), report.Took.Round(time.Millisecond))
			if report.Failed > 0 {
				return hint.New("the plugin does not keep its contract", "the lines above say what was expected; sdk/README.md and sdk/pluginpb/README.md explain it")
			}
			return nil
		},
	}
	cmd.Flags().SetInterspersed(false)
	cmd.Flags().StringVar(&file, "config", "", "`file` with what stands in the plugin's config block")
	cmd.Flags().StringSliceVar(&grants, "grant", nil, "host `call` that the plugin may make (default: those that it says it needs)")
	cmd.Flags().StringArrayVar(&env, "env", nil, "`NAME=value` for the plugin's environment (default: PATH)")
	return cmd
}

// configFor reads a config block from a file and checks it against the plugin's schema.
func configFor(ctx context.Context, p program, file string) (map[string]any, error) {
	body, err := config.ReadBody(file, os.Environ())
	if err != nil {
		return nil, err
	}
	d, err := p.describe(ctx)
	if err != nil {
		return nil, err
	}
	schema := daemon.Schema(d.GetConfig())
	if err := schema.Validate(); err != nil {
		return nil, fmt.Errorf("the plugin describes its config block in a way that cannot be: %w", err)
	}
	values, _, err := config.DecodeBody(body, schema)
	return values, err
}

func newPluginNew() *cobra.Command {
	var lang, dir, replace string
	cmd := &cobra.Command{
		Use:   "new " + strings.Join(scaffold.Kinds, "|") + " NAME",
		Short: "Write a new plugin",
		Long: `Write a new plugin that works, with its test and a README, to a folder of its name. Change it from there.

A Go plugin needs the module of the host; while that is not published, or to work on both, --replace names a checkout of its
repository.`,
		Example: `  host plugin new talk hello
  host plugin new filter nearby --lang python
  host plugin new store mine --replace ../host`,
		Args: arguments(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			kind, name := args[0], args[1]
			if dir == "" {
				dir = name
			}
			if err := scaffold.New(kind, name, lang, dir, replace); err != nil {
				if errors.Is(err, scaffold.ErrExists) {
					return hint.Wrap(err, "choose another name, or another folder with --dir")
				}
				return usage(cmd, err)
			}
			try := "  go test ./... && go build\n  host plugin test ./" + name
			if lang == "python" {
				try = "  python3 -m venv venv && venv/bin/pip install -r requirements.txt\n  PATH=$PWD/venv/bin:$PATH host plugin test ./plugin.py"
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: a %s plugin. Try:\n\n  cd %s\n%s\n", dir, kind, dir, try)
			return err
		},
	}
	cmd.Flags().StringVar(&lang, "lang", "go", "`language`: "+strings.Join(scaffold.Langs, " or "))
	cmd.Flags().StringVar(&dir, "dir", "", "`folder` to write to (default: the plugin's name)")
	cmd.Flags().StringVar(&replace, "replace", "", "`folder` of a checkout of the host to build with")
	return cmd
}

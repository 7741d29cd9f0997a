package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
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
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
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

new, describe and test need no running host. PROGRAM is the path of a plugin, or builtin:NAME for a bundled one. What follows it are
its own arguments; flags among them stand behind --.`,
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
	path  string
	args  []string
	given string // as it was given; "": it is bundled
}

// programOf reads PROGRAM [ARG…].
func programOf(args []string) (program, error) {
	name, bundled := strings.CutPrefix(args[0], "builtin:")
	if !bundled {
		path, err := filepath.Abs(args[0])
		return program{path, args[1:], args[0]}, err
	}
	if !builtin.Has(name) {
		return program{}, hint.New(fmt.Sprintf("there is no bundled plugin %q", name), "bundled are "+strings.Join(builtin.Names(), ", "))
	}
	self, err := os.Executable()
	return program{self, append([]string{builtin.Command, name}, args[1:]...), ""}, err
}

// there tells, before anything is started, why a program cannot be.
func (p program) there() error {
	if p.given == "" {
		return nil
	}
	_, err := exec.LookPath(p.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		advice := "a path starts at the current folder; builtin:NAME is a bundled plugin"
		if found, err := exec.LookPath(p.given); err == nil && !strings.ContainsAny(p.given, `/\`) {
			advice = "a path starts at the current folder: did you mean " + found + "?"
		}
		return hint.New(fmt.Sprintf("there is no program %s", p.given), advice)
	case errors.Is(err, fs.ErrPermission):
		return hint.New(fmt.Sprintf("%s is not executable", p.given), "chmod +x makes it so, if it is a program")
	case err != nil:
		return hint.New(fmt.Sprintf("%s is no program", p.given), "name the program itself, like ./hello/hello")
	}
	return nil
}

// onProgram makes cmd a command on PROGRAM: flags are its own wherever they stand, and what follows -- is the program's.
func onProgram(cmd *cobra.Command, run func(p program) error) *cobra.Command {
	cmd.Use += " PROGRAM [ARG…] [-- ARG…]"
	cmd.Args = arguments(1, 100)
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if _, unknown := errors.AsType[*pflag.NotExistError](err); unknown {
			err = hint.Wrap(err, "flags for the program itself stand behind --")
		}
		return flagError(cmd, err)
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, err := programOf(args)
		if err != nil {
			return usage(cmd, err)
		}
		if err := p.there(); err != nil {
			return err
		}
		return run(p)
	}
	return cmd
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
		Use:   "describe",
		Short: "Show what a plugin says about itself",
		Long: `Start a plugin, ask what it is, and end it: what it serves, which host calls it needs to be granted, and what its config block
may contain.`,
		Example: `  host plugin describe ./hello
  host plugin describe builtin:bolt --json
  host plugin describe /usr/bin/python3 -- -u plugin.py`,
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return onProgram(cmd, func(p program) error {
		d, err := p.describe(cmd.Context())
		if err != nil {
			return err
		}
		about := newDescription(d)
		if asJSON {
			return printJSON(cmd.OutOrStdout(), about)
		}
		return about.print(cmd.OutOrStdout())
	})
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

A Go plugin needs the module of the host, which go mod tidy finds when it is published. To build with a checkout of its repository, give
its folder with --replace: that needs no network.`,
		Example: `  host plugin new talk hello
  host plugin new filter nearby --lang python
  host plugin new store mine --replace ../host`,
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return scaffold.Kinds, cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
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
			switch {
			case lang == "go" && replace == "":
				try = "  go mod tidy\n" + try
				if !scaffold.Released() {
					fmt.Fprintln(cmd.ErrOrStderr(), "note: this host is no released version. go mod tidy takes the newest one that is published; while there is none, write the plugin with --replace and the folder of a checkout")
				}
			case lang == "python":
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

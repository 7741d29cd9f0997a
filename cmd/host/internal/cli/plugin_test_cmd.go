package cli

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/sdk/sdktest"
	"github.com/spf13/cobra"
)

// testedPlugin is the JSON of host plugin test.
type testedPlugin struct {
	Kind   string         `json:"kind"` // talk, filter or store; empty: the plugin could not say
	Passed bool           `json:"passed"`
	Failed int            `json:"failed"` // checks
	Took   float64        `json:"tookSeconds"`
	Checks []testedDetail `json:"checks"`
}

type testedDetail struct {
	Name   string   `json:"name"`
	Passed bool     `json:"passed"`
	Lines  []string `json:"lines"` // what it has to say
	Took   float64  `json:"tookSeconds"`
}

func newTestedPlugin(r sdktest.Report) testedPlugin {
	v := testedPlugin{Kind: r.Kind, Passed: r.Failed == 0, Failed: r.Failed, Took: r.Took.Seconds(), Checks: []testedDetail{}}
	for _, c := range r.Checks {
		v.Checks = append(v.Checks, testedDetail{c.Name, !c.Failed, notNil(c.Lines), c.Took.Seconds()})
	}
	return v
}

func newPluginTest() *cobra.Command {
	var (
		file   string
		grants []string
		env    []string
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "test",
		Short: "Check that a plugin keeps its contract",
		Long: `Start a plugin again and again and check that it keeps its contract with the host: how it starts, describes and configures itself,
that it answers every request exactly once, what it does with strange ones, and how it ends. It works with every program, in
whatever language. A line is printed for each check, and below it what is wrong.

A plugin that needs settings gets them from a file with what would stand in its config block.`,
		Example: `  host plugin test ./hello
  host plugin test ./hello --config hello.hcl
  host plugin test builtin:bolt --json`,
	}
	fs := cmd.Flags()
	fs.StringVar(&file, "config", "", "`file` with what stands in the plugin's config block")
	fs.StringSliceVar(&grants, "grant", nil, "host `call` that the plugin may make (default: those that it says it needs)")
	fs.StringArrayVar(&env, "env", nil, "`NAME=value` for the plugin's environment (default: PATH)")
	fs.BoolVar(&asJSON, "json", false, "print JSON, when all checks are over")
	return onProgram(cmd, func(p program) (err error) {
		source := sdktest.Source{Path: p.path, Args: p.args}
		if fs.Changed("env") {
			source.Env = env
		}
		if fs.Changed("grant") {
			source.Grants = grants
		}
		if file != "" {
			if source.Config, err = configFor(cmd.Context(), p, file); err != nil {
				return err
			}
		}
		out := cmd.OutOrStdout()
		lines := out
		if asJSON {
			lines = io.Discard
		}
		report := sdktest.RunContext(cmd.Context(), lines, source)
		if cmd.Context().Err() != nil {
			return errors.New("test the plugin: interrupted")
		}
		if asJSON {
			err = printJSON(out, newTestedPlugin(report))
		} else {
			_, err = fmt.Fprintf(out, "%d of %d checks passed in %v\n", len(report.Checks)-report.Failed, len(report.Checks), report.Took.Round(time.Millisecond))
		}
		if err == nil && report.Failed > 0 {
			err = hint.New("the plugin does not keep its contract", "what it printed says what was expected; sdk/README.md and sdk/pluginpb/README.md explain it")
		}
		return err
	})
}

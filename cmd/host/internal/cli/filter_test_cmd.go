package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/sdk"
	"github.com/discv5/host/sdk/expr"
	"github.com/discv5/host/sdk/sdktest"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/spf13/cobra"
	"google.golang.org/grpc/status"
)

// filterTest is what the flags of host filter test say.
type filterTest struct {
	expression string
	self       string
	known      knownForks

	program string
	args    []string
	config  string
	grants  []string
	stage   string

	verbose, json bool
}

func newFilterTest() *cobra.Command {
	var f filterTest
	cmd := &cobra.Command{
		Use:   "test --expr EXPRESSION|--plugin PROGRAM FILE",
		Short: "Run a filter over records and count what it says",
		Long: `Run a filter over the records of a file, and count how many pass and why the others do not. The filter is an expression, or a
plugin: the path of a program, or builtin:NAME for a bundled one, with what stands in its config block in a file.

FILE has records in its lines; a dash is stdin. Of each line, what counts begins with enr:, so that the output of other commands
will do, too. Lines without it, and lines that begin with #, are skipped. A record that is damaged or whose signature is not good
is counted and asked about no further: no host would, either.`,
		Example: `  host filter test --expr 'fork("mainnet").accepts(enr) && ip.is_global' records.txt
  host filter test --expr 'enr.cgc >= 8' --verbose - < records.txt
  host filter test --plugin ./nearby --config nearby.hcl records.txt`,
		Args: arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.expression, "expr", "", "`expression` that decides; sdk/expr/README.md describes the language")
	flags.StringVar(&f.self, "self", "", "node `id` that node.distance is measured to")
	f.known.flags(cmd, "schedules")
	flags.StringVar(&f.program, "plugin", "", "`program` that decides")
	flags.StringArrayVar(&f.args, "arg", nil, "`argument` of the plugin's program")
	flags.StringVar(&f.config, "config", "", "`file` with what stands in the plugin's config block")
	flags.StringSliceVar(&f.grants, "grant", nil, "host `call` that the plugin may make (default: those that it says it needs)")
	flags.StringVar(&f.stage, "stage", "", "`stage` at which the plugin is asked: table, serve or deliver (default: the first at which it makes sense)")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "print a line for each record, too")
	flags.BoolVar(&f.json, "json", false, "print JSON; with --verbose, a document in a line for each record and one for the sums")
	return cmd
}

func (f *filterTest) run(cmd *cobra.Command, file string) error {
	if (f.expression == "") == (f.program == "") {
		return usage(cmd, errors.New("host filter test needs either --expr or --plugin"))
	}
	for _, name := range []string{"arg", "config", "grant", "stage"} {
		if f.program == "" && cmd.Flags().Changed(name) {
			return usage(cmd, fmt.Errorf("--%s goes with --plugin only", name))
		}
	}
	for _, name := range []string{"self", "schedules", "grace", "at"} {
		if f.expression == "" && cmd.Flags().Changed(name) {
			return usage(cmd, fmt.Errorf("--%s goes with --expr only", name))
		}
	}
	in := cmd.InOrStdin()
	if file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return hint.Wrap(err, "a path starts at the current folder; a dash is stdin")
		}
		defer opened.Close()
		in = opened
	}
	decide, end, err := f.filter(cmd)
	if err != nil {
		return err
	}
	defer end()
	return f.sift(cmd, in, decide)
}

// judgement is what a filter says about a node, for people.
type judgement struct {
	accepted bool
	decision string
	reason   string
	detail   string
}

// decider says something about each node.
type decider func([]*enode.Node) ([]judgement, error)

func (f *filterTest) filter(cmd *cobra.Command) (decider, func(), error) {
	if f.program != "" {
		return f.plugin(cmd)
	}
	schedules, now, err := f.known.read(cmd)
	if err != nil {
		return nil, nil, err
	}
	options := []expr.Option{expr.WithSchedules(schedules)}
	if f.known.at != "" {
		options = append(options, expr.WithClock(func() time.Time { return now }))
	}
	if f.self != "" {
		id, err := enode.ParseID(f.self)
		if err != nil {
			return nil, nil, usage(cmd, hint.New(fmt.Sprintf("--self %q is not a node id", f.self), "a node id has 64 hex digits"))
		}
		options = append(options, expr.WithSelf(id))
	}
	p, err := expr.Compile(f.expression, options...)
	if err != nil {
		return nil, nil, usage(cmd, hint.Wrap(fmt.Errorf("--expr: %w", err), aboutExpressions))
	}
	if p.UsesDistance() && f.self == "" {
		return nil, nil, usage(cmd, hint.New("--expr: node.distance is measured to a node, and none is given", "name it with --self ID; host status shows that of a running host"))
	}
	return func(nodes []*enode.Node) ([]judgement, error) {
		out := make([]judgement, len(nodes))
		for i, n := range nodes {
			v := p.Decide(n)
			out[i] = judgement{v.Match, "reject", v.Reason, ""}
			if v.Match {
				out[i].decision = "accept"
			}
			if why := errors.Join(v.Detail, v.Err); why != nil {
				out[i].detail = why.Error()
			}
		}
		return out, nil
	}, func() {}, nil
}

func (f *filterTest) plugin(cmd *cobra.Command) (decider, func(), error) {
	p, err := programOf(append([]string{f.program}, f.args...))
	if err != nil {
		return nil, nil, usage(cmd, err)
	}
	if err := p.there(); err != nil {
		return nil, nil, err
	}
	source := sdktest.Source{Path: p.path, Args: p.args}
	if cmd.Flags().Changed("grant") {
		source.Grants = append([]string{}, f.grants...)
	}
	if f.config != "" {
		if source.Config, err = configFor(cmd.Context(), p, f.config); err != nil {
			return nil, nil, err
		}
	}
	run, err := openFilter(cmd.Context(), source)
	if err != nil {
		return nil, nil, err
	}
	stage := sdk.Stage(f.stage)
	if stage == "" {
		stage = sdk.StageTable
		if s := run.Stages(); len(s) > 0 {
			stage = sdk.Stage(s[0])
		}
	}
	if !slices.Contains([]sdk.Stage{sdk.StageTable, sdk.StageServe, sdk.StageDeliver}, stage) {
		run.Close()
		return nil, nil, usage(cmd, hint.New(fmt.Sprintf("--stage %q is not a stage", f.stage), "there are table, serve and deliver"))
	}
	return func(nodes []*enode.Node) ([]judgement, error) {
		verdicts, err := run.Decide(stage, nodes...)
		if err != nil {
			return nil, hint.Wrap(fmt.Errorf("ask the plugin: %w", err), "host plugin test checks whether it keeps its contract")
		}
		out := make([]judgement, len(nodes))
		for i, v := range verdicts {
			// Who abstains has no objection: a node passes when no filter rejects.
			out[i] = judgement{v.Decision != sdk.Reject, [...]string{"abstain", "accept", "reject"}[min(v.Decision, sdk.Reject)], v.Reason, ""}
		}
		return out, nil
	}, run.Close, nil
}

func openFilter(ctx context.Context, source sdktest.Source) (*sdktest.FilterRun, error) {
	run, err := sdktest.OpenFilter(ctx, source)
	if errors.Is(err, sdktest.ErrNoFilter) {
		return nil, hint.Wrap(fmt.Errorf("start the plugin: %w", err), "--plugin takes a filter; host plugin describe shows what a plugin serves, and host plugin test tries those of other kinds")
	}
	if err != nil {
		if refused, ok := errors.AsType[interface {
			error
			GRPCStatus() *status.Status
		}](err); ok {
			err = errors.New(refused.GRPCStatus().Message())
		}
		return nil, hint.Wrap(fmt.Errorf("start the plugin: %w", err), "host plugin describe shows what its config block may contain, for --config")
	}
	return run, nil
}

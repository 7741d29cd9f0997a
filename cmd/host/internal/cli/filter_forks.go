package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/sdk/forks"
	"github.com/spf13/cobra"
)

func newFilterForks() *cobra.Command {
	var (
		network string
		known   knownForks
		asJSON  bool
	)
	cmd := &cobra.Command{
		Use:   "forks",
		Short: "Show which forks fork() accepts, now and next",
		Long: `Show what fork() of a filter expression accepts: the digests of eth2, now and when that changes, and the identifier of eth that
nodes in sync have. By the rules of EIP-2124, eth of a node that is behind or ahead on the same forks is accepted too.

The schedules of mainnet, sepolia and hoodi come with the host; a file may add networks and replace these.`,
		Example: `  host filter forks --network mainnet
  host filter forks --file forks.hcl --at 2026-10-06T13:00:00Z`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			schedules, now, err := known.read(cmd)
			if err != nil {
				return err
			}
			names := schedules.Names()
			if network != "" {
				if _, ok := schedules.Network(network); !ok {
					return usage(cmd, hint.New(fmt.Sprintf("there is no schedule of a network %q", network), "there are "+strings.Join(names, ", ")))
				}
				names = []string{network}
			}
			if asJSON {
				all := []networkForks{}
				for _, name := range names {
					n, _ := schedules.Network(name)
					all = append(all, newNetworkForks(n, now))
				}
				return printJSON(cmd.OutOrStdout(), all)
			}
			return printForks(cmd.OutOrStdout(), schedules, names, now)
		},
	}
	cmd.Flags().StringVar(&network, "network", "", "one `network` only")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	known.flags(cmd, "file")
	_ = cmd.RegisterFlagCompletionFunc("network", cobra.FixedCompletions(forks.Default().Names(), cobra.ShellCompDirectiveNoFileComp)) // it is there
	return cmd
}

// knownForks are the flags for what fork() knows.
type knownForks struct {
	file, at string
	grace    time.Duration
}

func (k *knownForks) flags(cmd *cobra.Command, file string) {
	cmd.Flags().StringVar(&k.file, file, "", "`file` of schedules beside those that come with the host")
	cmd.Flags().DurationVar(&k.grace, "grace", forks.DefaultGrace, "how long around a fork both sides are accepted")
	cmd.Flags().StringVar(&k.at, "at", "", "`time` to look from, like 2026-10-06T13:00:00Z (default: now)")
}

func (k *knownForks) read(cmd *cobra.Command) (*forks.Schedules, time.Time, error) {
	now := time.Now()
	if k.at != "" {
		var err error
		if now, err = time.Parse(time.RFC3339, k.at); err != nil {
			return nil, now, usage(cmd, hint.New(fmt.Sprintf("--at %q is not a time", k.at), "write it like "+time.Now().UTC().Format(time.RFC3339)))
		}
	}
	if k.grace < 0 || k.grace > forks.MaxGrace {
		return nil, now, usage(cmd, fmt.Errorf("--grace %s is not between 0s and %s", k.grace, forks.MaxGrace))
	}
	schedules := forks.Default()
	if k.file != "" {
		var err error
		if schedules, err = forks.Load(k.file); err != nil {
			advice := "sdk/forks/networks.hcl shows what such a file looks like"
			if os.IsNotExist(err) {
				advice = "a path starts at the current folder"
			}
			return nil, now, hint.Wrap(err, advice)
		}
	}
	return schedules.WithGrace(k.grace), now, nil
}

func printForks(w io.Writer, schedules *forks.Schedules, names []string, now time.Time) error {
	s := newSheet("NETWORK", "FIELD", "FORK", "VALUE", "ACCEPTED", "FROM", "UNTIL")
	for _, name := range names {
		n, _ := schedules.Network(name)
		v := newNetworkForks(n, now)
		for _, f := range v.Eth2 {
			s.add(name, "eth2", f.Fork, f.Digest, standing(f.Accepted, f.Current, "in grace"), moment(f.From), moment(f.Until))
		}
		for _, f := range v.Eth {
			s.add(name, "eth", f.Fork, fmt.Sprintf("%s, next %d", f.Hash, f.Next), standing(f.Accepted, f.Current, "ahead"), moment(f.From), moment(f.Until))
		}
	}
	return s.print(w, "no networks")
}

// standing says whether a fork is accepted; beside is how one is that is not the current one.
func standing(accepted, current bool, beside string) string {
	switch {
	case current:
		return "now"
	case accepted:
		return "now, " + beside
	}
	return "later"
}

// moment is a time for people; a dash for none.
func moment(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

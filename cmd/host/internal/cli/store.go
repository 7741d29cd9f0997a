package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/discv5/host/cmd/host/internal/config"
	"github.com/discv5/host/cmd/host/internal/daemon"
	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/cmd/host/internal/logging"
	"github.com/discv5/host/cmd/host/internal/storefile"
	"github.com/discv5/host/core"
	"github.com/spf13/cobra"
)

// maxTold bounds the lines about what was left out.
const maxTold = 20

func newStore() *cobra.Command {
	return group(&cobra.Command{
		Use:   "store",
		Short: "Look into a store, and move what it keeps",
		Long: `Look into the store of a configuration, and move what it keeps to a file and from there into another store.

The store's plugin is started for that, alone: no host needs to run. A store that one host has for itself, like builtin:bolt, can be
opened only while that host does not run; one that hosts share, like redis and postgres, at any time.`,
		Example: `  host store stats --config config.hcl
  host store export --config old.hcl | host store import --config new.hcl`,
	}, newStoreStats(), newStoreExport(), newStoreImport())
}

// withStore makes cmd a command that works on the store of a configuration. One that only reads makes neither a store nor a folder.
func withStore(cmd *cobra.Command, reads bool, run func(ctx context.Context, s core.Store, name string) error) *cobra.Command {
	config.Flags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		loaded, err := config.Load(cmd.Context(), config.Sources{Env: os.Environ(), Flags: cmd.Flags()})
		if err != nil {
			return err
		}
		log, err := logging.New(cmd.ErrOrStderr(), "warn", loaded.Config.LogFormat)
		if err != nil {
			return err
		}
		folder, err := os.MkdirTemp(daemon.SocketDir(), "host-store-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(folder)
		place, err := findStore(cmd.Context(), loaded)
		if err != nil {
			return err
		}
		if reads {
			note, err := place.forReading(loaded, folder)
			if err != nil {
				return err
			}
			if note != "" {
				fmt.Fprintln(cmd.ErrOrStderr(), "note:", plain(note))
			}
		}
		s, block, err := daemon.OpenStore(cmd.Context(), loaded, folder, log)
		if err != nil {
			return place.explain(err)
		}
		defer s.Close()
		if err := s.Health(cmd.Context()); err != nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "warning: %s: %s\n", block.Name, plain(err.Error()))
		}
		return run(cmd.Context(), s, block.Name)
	}
	return cmd
}

func newStoreStats() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "stats",
		Short:   "Count what a store keeps",
		Long:    `Read a whole store and count: nodes and the last contacts with them, bans, and what plugins keep.`,
		Example: `  host store stats --config config.hcl`,
		Args:    arguments(0, 0),
	}
	withStore(cmd, true, func(ctx context.Context, s core.Store, name string) error {
		n, err := storefile.Count(ctx, s, time.Now())
		if err != nil {
			return hint.Wrap(fmt.Errorf("read the store: %w", err), storeAdvice)
		}
		if asJSON {
			return printJSON(cmd.OutOrStdout(), n)
		}
		rows := []row{
			{"store", name},
			{"nodes", strconv.Itoa(n.Nodes)},
			{"contacts", fmt.Sprintf("%d, %d within the last hour", n.Contacts, n.Recent)},
		}
		if n.Newest != nil {
			rows = append(rows, row{"newest contact", ago(*n.Newest)}, row{"oldest contact", ago(*n.Oldest)})
		}
		rows = append(rows,
			row{"hosts", fmt.Sprintf("%d with %s and %s", n.Hosts, count(n.Bans, "ban"), others(n.Others))},
			row{"bytes", strconv.FormatInt(n.Bytes, 10)})
		if n.Damaged > 0 {
			rows = append(rows, row{"damaged", strconv.Itoa(n.Damaged)})
		}
		return printRows(cmd.OutOrStdout(), rows)
	})
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

const storeAdvice = "is the server behind the store there? what is done so far stays; repeat the command"

func newStoreExport() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the nodes of a store to stdout",
		Long: `Write what a store knows of nodes to stdout, a line of JSON for each: its record, and when and where it answered last. With --all
there is also what hosts keep for themselves: bans, and the data of plugins. Only a host with the same key can use that.`,
		Example: `  host store export --config config.hcl >nodes.jsonl
  host store export --config config.hcl | jq -r .enr`,
		Args: arguments(0, 0),
	}
	withStore(cmd, true, func(ctx context.Context, s core.Store, _ string) error {
		told := teller{to: cmd.ErrOrStderr()}
		n, err := storefile.Export(ctx, s, cmd.OutOrStdout(), all, told.tell)
		if err != nil {
			return hint.Wrap(fmt.Errorf("export the store: %w", err), storeAdvice)
		}
		told.rest()
		_, err = fmt.Fprintf(cmd.ErrOrStderr(), "%s, %s\n", count(n.Nodes, "node"), others(n.Others))
		return err
	})
	cmd.Flags().BoolVar(&all, "all", false, "also what hosts keep for themselves")
	return cmd
}

func newStoreImport() *cobra.Command {
	var file string
	var all bool
	cmd := &cobra.Command{
		Use:   "import",
		Short: "Put the nodes of a file into a store",
		Long: `Put the lines of an export into a store, from stdin or a file. Each record is checked with its signature; a line that is wrong is left
out and told, and makes the exit status 1. What the store has and is newer stays, so an import can be repeated, and continues so one that
was interrupted. A host verifies the nodes before it uses them, so the file may come from anybody. With --all what hosts keep for
themselves is taken too, bans and the data of plugins, which nothing can check: only from a file that you made.`,
		Example: `  host store import --config config.hcl --from nodes.jsonl
  host store export --config old.hcl --all | host store import --config new.hcl --all`,
		Args: arguments(0, 0),
	}
	withStore(cmd, false, func(ctx context.Context, s core.Store, _ string) error {
		in := cmd.InOrStdin()
		if file != "" {
			f, err := os.Open(file)
			if err != nil {
				return hint.Wrap(fmt.Errorf("open the file: %w", err), "host store export writes such a file")
			}
			defer f.Close()
			in = f
		}
		told := teller{to: cmd.ErrOrStderr()}
		n, err := storefile.Import(ctx, s, in, time.Now(), all, told.tell)
		told.rest()
		if err != nil {
			return hint.Wrap(fmt.Errorf("import into the store: %w", err), storeAdvice)
		}
		if _, err := fmt.Fprintf(cmd.ErrOrStderr(), "%s, %s; %s had expired\n", count(n.Nodes, "node"), others(n.Others), count(n.Expired, "line")); err != nil {
			return err
		}
		if n.LeftOut > 0 {
			if _, err := fmt.Fprintf(cmd.ErrOrStderr(), "%s of hosts left out, --all takes them\n", count(n.LeftOut, "line")); err != nil {
				return err
			}
		}
		if n.Wrong > 0 {
			return hint.Wrap(fmt.Errorf("%s left out", count(n.Wrong, "line")), "the lines above say why; the others are in the store")
		}
		return nil
	})
	cmd.Flags().BoolVar(&all, "all", false, "also what hosts keep for themselves")
	cmd.Flags().StringVar(&file, "from", "", "`file` to read (default: stdin)")
	return cmd
}

// others is a number of entries that are no nodes.
func others(n int) string {
	if n == 1 {
		return "1 other entry"
	}
	return fmt.Sprintf("%d other entries", n)
}

// teller tells the first of what was left out, and counts the rest.
type teller struct {
	to    io.Writer
	count int
}

func (t *teller) tell(text string) {
	if t.count++; t.count <= maxTold {
		fmt.Fprintln(t.to, plain(text))
	}
}

func (t *teller) rest() {
	if t.count > maxTold {
		fmt.Fprintf(t.to, "and %d more\n", t.count-maxTold)
	}
}

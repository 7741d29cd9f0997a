package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"

	"github.com/discv5/host/cmd/host/internal/admin"
	"github.com/discv5/host/cmd/host/internal/build"
	"github.com/discv5/host/cmd/host/internal/daemon"
	"github.com/discv5/host/cmd/host/internal/devnet"
	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/cmd/host/internal/logging"
	"github.com/discv5/host/core"
	"github.com/discv5/host/plugins"
	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"
)

// frugalGC is the garbage collector's target while a network runs, in percent of what lives. Much lives in hundreds of nodes
// and little happens in them, so memory is worth more than the time that more frequent collections take.
const frugalGC = 15

func newDev() *cobra.Command {
	var (
		nodes  int
		noHost bool
		level  string
	)
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run a network on this machine, to try things out",
		Long: `Run a network on this machine, to try things out: plain nodes on 127.0.0.1 that join through the first one, and a host that
does so too, with the bundled plugins. It shows how the host comes to know them and asks a few questions; then the network lives
until it is interrupted. Nothing is kept on disk, and nobody outside is contacted.

With --no-host there are the plain nodes only, and their records on stdout, one a line: the first is the one to join by. Every
node answers TALK requests of the protocol "echo" with what they bring.`,
		Example: `  host dev
  host dev --nodes 100
  host dev --nodes 5 --no-host`,
		Args: arguments(0, 0),
	}
	cmd.Flags().IntVar(&nodes, "nodes", 30, fmt.Sprintf("`count` of plain nodes to run, 1 to %d; each takes about 1 MB of memory", devnet.MaxNodes))
	cmd.Flags().BoolVar(&noHost, "no-host", false, "run the plain nodes only and print their records")
	cmd.Flags().StringVar(&level, "log-level", "error", "least important messages, `level`, to log: "+strings.Join(logging.Levels, ", "))
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		if nodes < 1 || nodes > devnet.MaxNodes {
			return usage(cmd, hint.New(fmt.Sprintf("--nodes %d is out of range", nodes), fmt.Sprintf("use a number from 1 to %d; each node takes about 1 MB of memory", devnet.MaxNodes)))
		}
		log, err := logging.New(cmd.ErrOrStderr(), level, "text")
		if err != nil {
			return usage(cmd, err)
		}
		if os.Getenv("GOGC") == "" {
			debug.SetGCPercent(frugalGC)
		}
		ctx, out := cmd.Context(), cmd.OutOrStdout()
		network, err := devnet.Start(ctx, nodes, log)
		if err != nil {
			if ctx.Err() != nil {
				return nil // interrupted at the start
			}
			return err
		}
		defer func() { err = errors.Join(err, network.Close()) }()
		if !noHost {
			return showHost(ctx, out, network, log)
		}
		for _, record := range network.Records() {
			if _, err := fmt.Fprintln(out, record); err != nil {
				return err
			}
		}
		<-ctx.Done()
		return nil
	}
	return cmd
}

// calledAs is what to write in a shell to run this program again, as it was run: by its name when that finds it, by go run when that built
// it, else by its path.
func calledAs(name string) string {
	path, err := exec.LookPath(name)
	if err != nil {
		path = name
	}
	path, err = filepath.Abs(path)
	if err != nil {
		path = name
	}
	if builtByGoRun(path) {
		return "go run ./cmd/host"
	}
	base := filepath.Base(path)
	if found, err := exec.LookPath(base); err == nil && sameProgram(found, path) {
		return strings.TrimSuffix(base, ".exe")
	}
	return path
}

// cacheEntry matches the folder of a program that go run keeps in its cache.
var cacheEntry = regexp.MustCompile(`^[0-9a-f]{64}-d$`)

// builtByGoRun tells whether a program is where go run puts those that it builds: in a temporary folder, or in its cache.
func builtByGoRun(path string) bool {
	for folder := range strings.SplitSeq(filepath.ToSlash(filepath.Dir(path)), "/") {
		if strings.HasPrefix(folder, "go-build") || cacheEntry.MatchString(folder) {
			return true
		}
	}
	return false
}

func sameProgram(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// showHost adds a host with the bundled plugins. What they keep goes with it.
func showHost(ctx context.Context, out io.Writer, network *devnet.Network, log hclog.Logger) (err error) {
	dir, err := os.MkdirTemp(daemon.SocketDir(), "host-dev-")
	if err != nil {
		return fmt.Errorf("folder for the plugins: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	set, err := daemon.Bundled(dir, log)
	if err != nil {
		return err
	}
	place := admin.SocketPath(dir)
	serve := func(node *core.Node, set *plugins.Set) (io.Closer, error) {
		return admin.Listen(admin.Config{Node: node, Plugins: set, Version: build.Read().Version, Socket: place, Log: log})
	}
	return network.Show(ctx, out, devnet.Host{Plugins: set, Serve: serve, Place: place, Command: calledAs(os.Args[0]), Log: log})
}

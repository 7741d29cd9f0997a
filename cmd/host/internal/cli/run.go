package cli

import (
	"context"
	"os"
	"os/signal"

	"github.com/discv5/host/cmd/host/internal/config"
	"github.com/discv5/host/cmd/host/internal/daemon"
	"github.com/discv5/host/cmd/host/internal/logging"
	"github.com/spf13/cobra"
)

func newRun() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run a node",
		Long: `Run a node until it is interrupted or terminated.

The first line on stdout is the node's record; everything else goes to the log on stderr. The key and the newest record are
kept in the data folder, so that the node is the same one after a restart. Settings come from the file of --config, from
variables (HOST_ and the name in capitals, like HOST_LOG_LEVEL) and from flags; the later ones win. SIGHUP, or host reload, makes it
read the file again and take over what changed.`,
		Example: `  host run --network mainnet --data-dir ./data
  host run --config config.hcl
  host run --listen 127.0.0.1:0 --bootnode enr:…`,
		Args: arguments(0, 0),
	}
	config.Flags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		hangup := make(chan os.Signal, 1)
		askedToReload(hangup)
		defer signal.Stop(hangup)
		load := func(ctx context.Context) (*config.Loaded, error) {
			return config.Load(ctx, config.Sources{Env: os.Environ(), Flags: cmd.Flags()})
		}
		loaded, err := load(cmd.Context())
		if err != nil {
			return err
		}
		log, err := logging.New(cmd.ErrOrStderr(), loaded.Config.LogLevel, loaded.Config.LogFormat)
		if err != nil {
			return err
		}
		return daemon.Run(cmd.Context(), daemon.Options{Loaded: loaded, Load: load, Hangup: hangup, Out: cmd.OutOrStdout(), Log: log})
	}
	return cmd
}

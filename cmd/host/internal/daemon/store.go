package daemon

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/discv5/host/cmd/host/internal/config"
	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/plugins"
	"github.com/hashicorp/go-hclog"
)

// OpenStore starts the store plugin of a configuration without a host. run is a folder for its socket, with a short path.
func OpenStore(ctx context.Context, loaded *config.Loaded, run string, log hclog.Logger) (*plugins.StoreAlone, *config.Plugin, error) {
	var p *config.Plugin
	for _, other := range loaded.Plugins {
		if other.Kind == config.Store && (p == nil || other.Enabled) {
			p = other
		}
	}
	if p == nil {
		return nil, nil, hint.New("the configuration has no store", `add a block plugin "store" "disk" with source = "builtin:bolt"`)
	}
	if problem, bad := unknownBuiltin(p); bad {
		return nil, nil, config.Problems{problem}
	}
	data, err := filepath.Abs(loaded.Config.DataDir)
	if err != nil {
		return nil, nil, fmt.Errorf("data folder: %w", err)
	}
	settings, err := pluginConfig(filepath.Join(data, pluginsName), run, log)
	if err != nil {
		return nil, nil, err
	}
	b := block(p)
	s, err := plugins.OpenStore(ctx, settings, b)
	if err != nil {
		advice := plugins.Hint(err)
		if advice == "" && strings.Contains(err.Error(), "another process has it open") {
			advice = "stop the host for that time; a store that hosts share can be read and written while they run"
		}
		return nil, nil, hint.Wrap(errors.New("open the store: "+strings.TrimPrefix(err.Error(), "plugins: "+b.ID()+": ")), advice)
	}
	return s, p, nil
}

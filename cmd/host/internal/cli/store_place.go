package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/discv5/host/cmd/host/internal/config"
	"github.com/discv5/host/cmd/host/internal/daemon"
	"github.com/discv5/host/cmd/host/internal/hint"
)

const boltName = "bolt"

// storePlace is where the store of a configuration keeps what it knows, as far as that can be known.
type storePlace struct {
	folder string // of its plugin, in the data folder
	file   string // of builtin:bolt; "": it is another store
}

// findStore looks where the store is, without opening it.
func findStore(ctx context.Context, loaded *config.Loaded) (p storePlace, err error) {
	var block *config.Plugin
	for _, other := range loaded.Plugins {
		if other.Kind == config.Store && (block == nil || other.Enabled) {
			block = other
		}
	}
	if block == nil {
		return p, nil // whoever opens it says so
	}
	p.folder = filepath.Join(loaded.Config.DataDir, "plugins", config.Store+"."+block.Name)
	if name, bundled := block.Builtin(); !bundled || name != boltName {
		return p, nil
	}
	program, err := programOf([]string{block.Source})
	if err != nil {
		return p, err
	}
	about, err := program.describe(ctx)
	if err != nil {
		return p, err
	}
	schema := daemon.Schema(about.GetConfig())
	values, _, err := config.DecodeBody(block.Config, schema)
	if err != nil {
		return p, err
	}
	path, ok := values["path"].(string)
	for _, a := range schema.Attributes {
		if a.Name == "path" && !ok {
			path = strings.Trim(a.Default, `"`)
		}
	}
	if p.file = path; !filepath.IsAbs(path) {
		p.file = filepath.Join(p.folder, path)
	}
	return p, nil
}

// forReading sees to it that a command that only reads makes nothing: a store file must be there. Another store, which may be a server, is
// opened with an empty folder among the temporary files when the data folder has none for it; note says so.
func (p storePlace) forReading(loaded *config.Loaded, temporary string) (note string, err error) {
	if p.file != "" {
		if _, err := os.Stat(p.file); errors.Is(err, fs.ErrNotExist) {
			return "", hint.New("there is no store at "+p.file, "is data_dir the right one? A host makes its store when it starts for the first time")
		}
		return "", nil // what else is wrong with it is told by the store
	}
	if _, err := os.Stat(p.folder); p.folder != "" && errors.Is(err, fs.ErrNotExist) {
		loaded.Config.DataDir = filepath.Join(temporary, "data")
		return "no host has used this store with this data folder; none is made: " + p.folder, nil
	}
	return "", nil
}

// explain makes one plain sentence of the error that a store is in use.
func (p storePlace) explain(err error) error {
	if p.file == "" || !strings.Contains(err.Error(), "another process has it open") {
		return err
	}
	return hint.New(fmt.Sprintf("open the store: another process has %s open", p.file),
		"is it that of a host that runs? Stop it for that time; a store that hosts share, like redis and postgres, can be read while they run")
}

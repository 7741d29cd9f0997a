package daemon

import (
	"context"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/hashicorp/go-hclog"
)

// settling is how long the files of the configuration must be left alone before they are read again: an editor writes in steps.
const settling = 500 * time.Millisecond

// watchFiles tells that a file of the configuration may have changed, if the configuration asks for it, until ctx ends.
func watchFiles(ctx context.Context, o Options, log hclog.Logger) <-chan struct{} {
	if !o.Loaded.Config.WatchConfig || o.Load == nil {
		return nil
	}
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		log.Warn("the configuration is not watched", "err", err)
		return nil
	}
	for _, path := range o.Loaded.Files {
		// The folder, because many write a file by putting another one in its place.
		if err := watcher.Add(filepath.Dir(path)); err != nil {
			log.Warn("the configuration is not watched", "file", path, "err", err)
		}
	}
	changed := make(chan struct{}, 1)
	go func() {
		defer watcher.Close()
		quiet := time.NewTimer(time.Hour)
		quiet.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case e, open := <-watcher.Events:
				if !open {
					return
				}
				if ofConfiguration(e.Name, o.Loaded.Files) {
					quiet.Reset(settling)
				}
			case err, open := <-watcher.Errors:
				if !open {
					return
				}
				log.Warn("the configuration may have changed unseen", "err", err)
			case <-quiet.C:
				select {
				case changed <- struct{}{}:
				default: // it is told already
				}
			}
		}
	}()
	return changed
}

// mounted is the link that changes when a mounted configuration does (Kubernetes' "mounted ConfigMaps are updated automatically").
const mounted = "..data"

// ofConfiguration tells whether a path in a watched folder belongs to the configuration: logs may be in the same folder.
func ofConfiguration(path string, files []string) bool {
	same := func(file string) bool { return filepath.Clean(file) == filepath.Clean(path) }
	return filepath.Ext(path) == ".hcl" || filepath.Base(path) == mounted || slices.ContainsFunc(files, same)
}

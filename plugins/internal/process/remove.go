package process

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const (
	removeTime  = 500 * time.Millisecond // for the directory of a plugin that was stopped
	sweepTime   = 5 * time.Second        // for all directories that others have left
	maxDepth    = 64                     // of directories in it
	removeBatch = 256
)

var (
	errFull = errors.New("there is too much in it")
	errDeep = errors.New("its directories are too deep")
)

// remove removes a directory and what is in it until end. It follows no link, and opens what a plugin has closed.
func remove(dir string, end time.Time) error {
	parent, err := os.OpenRoot(filepath.Dir(dir))
	if err != nil {
		return err
	}
	defer parent.Close()
	return removeIn(parent, filepath.Base(dir), maxDepth, end)
}

func removeIn(root *os.Root, name string, depth int, end time.Time) error {
	for {
		err := root.Remove(name)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		info, statErr := root.Lstat(name)
		switch {
		case statErr != nil || !info.IsDir():
			return err
		case depth == 0:
			return errDeep
		case info.Mode().Perm()&0o700 != 0o700:
			_ = root.Chmod(name, 0o700) // what follows tells
		}
		removed, err := empty(root, name, depth, end)
		if err != nil {
			return err
		}
		if removed == 0 {
			return root.Remove(name)
		}
	}
}

// empty removes some of what is in a directory. It goes on behind what cannot be removed.
func empty(root *os.Root, name string, depth int, end time.Time) (removed int, failed error) {
	dir, err := root.Open(name)
	if err != nil {
		return 0, err
	}
	names, _ := dir.Readdirnames(removeBatch)
	dir.Close()
	for _, n := range names {
		if !time.Now().Before(end) {
			return removed, errFull
		}
		if err := removeIn(root, filepath.Join(name, n), depth-1, end); err != nil {
			failed = err
		} else {
			removed++
		}
	}
	if removed > 0 && !errors.Is(failed, errFull) {
		failed = nil // what is left is looked at again
	}
	return removed, failed
}

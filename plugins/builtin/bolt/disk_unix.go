//go:build !windows

package bolt

import (
	"os"
	"syscall"
)

// syncFolder makes the names in a folder durable.
func syncFolder(folder string) error {
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// openRenames tells whether a file that is open can be renamed.
const openRenames = true

// unlock gives up the lock of a file that bbolt panicked over: its mapping stays and would keep the lock, even of a closed file.
func unlock(file *os.File) { _ = syscall.Flock(int(file.Fd()), syscall.LOCK_UN) }

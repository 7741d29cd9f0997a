package bolt

import (
	"errors"
	"io/fs"
	"os"

	"go.etcd.io/bbolt"
)

const (
	compactSize  = 4 << 20   // files below it are left alone
	compactMost  = 256 << 20 // and those with more than this in use: the host waits meanwhile
	compactBatch = 4 << 20   // bytes of one transaction of the copy
)

// wasteful tells whether more than half of a file is free, and what is not can be copied quickly.
func wasteful(db *bbolt.DB) bool {
	var size int64
	if err := db.View(func(tx *bbolt.Tx) error { size = tx.Size(); return nil }); err != nil || size < compactSize {
		return false
	}
	free := int64(db.Stats().FreePageN) * int64(db.Info().PageSize)
	return free > size/2 && size-free <= compactMost
}

// compact replaces the file by a copy without free pages and returns it opened. If that does not work, it returns the old one with the
// error; nil only if neither can be opened any more.
func compact(db *bbolt.DB, o options) (*bbolt.DB, error) {
	fresh := o
	fresh.path = newPath(o.path)
	copied, err := openNew(fresh)
	if err != nil {
		return db, err
	}
	copied.NoSync = true // once at the end is enough: nobody knows the file yet
	err = guard(func() error { return errors.Join(bbolt.Compact(copied, db, compactBatch), copied.Sync()) })
	copied.NoSync = false
	if err == nil && openRenames {
		// The lock of the old file is held until the new one has its name, and that is locked already.
		if err = replace(fresh.path, o.path); err == nil {
			return copied, db.Close()
		}
	}
	if closeErr := copied.Close(); err != nil || closeErr != nil {
		return db, errors.Join(err, closeErr, os.Remove(fresh.path))
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	renameErr := replace(fresh.path, o.path)
	reopened, err := openFile(o, false)
	return reopened, errors.Join(renameErr, err)
}

// openNew opens an empty file, in place of what an interrupted attempt left.
func openNew(o options) (*bbolt.DB, error) {
	if err := os.Remove(o.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return openFile(o, false)
}

package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

var (
	// ErrLocked says that another process has the file open.
	ErrLocked = errors.New("another process has it open; two hosts cannot share a bolt store: set another path, or stop the other host")
	// ErrForeign says that the file was not written by this plugin. It is never touched then.
	ErrForeign = errors.New("it is no store of a host; set another path, or move it away")
	// ErrNewer says that a newer version of the host wrote the file.
	ErrNewer = errors.New("a newer version of the host wrote it; run that one, or move the file away")
)

// options are how a file is opened.
type options struct {
	path     string
	lockWait time.Duration
	maxSize  int64 // bytes from which on puts are refused while little in it is free; 0: any
	now      func() time.Time
	warn     func(message string, args ...any) // as a logger does
	steps    []migration
}

// checkSize is the size up to which every page of a file is checked at the start, beside every entry.
const checkSize = 64 << 20

// open opens the file, and makes, migrates, repairs or compacts it where that is needed. What was repaired is told in repaired.
func open(o options) (s *store, repaired error, err error) {
	if err := finishReplacement(o.path); err != nil {
		return nil, nil, fmt.Errorf("bolt: %s: %w", o.path, err)
	}
	db, err := openSound(o)
	if errors.Is(err, errDamaged) {
		repaired, err = rescue(o, err)
		if err == nil {
			db, err = openSound(o)
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("bolt: %s: %w", o.path, err)
	}
	return &store{db: db, now: o.now, maxSize: o.maxSize}, repaired, nil
}

// openSound opens the file and checks it. errDamaged says that it is damaged; it is closed then.
func openSound(o options) (*bbolt.DB, error) {
	db, err := openFile(o, false)
	if err != nil {
		return nil, err
	}
	var small bool // of an own, sound file: nothing to compact
	err = guard(func() error {
		if err := prepare(db, o); err != nil {
			return err
		}
		if err := check(db); err != nil {
			return err
		}
		small = !wasteful(db)
		return nil
	})
	if err == nil && !small {
		compacted, err := compact(db, o)
		if err != nil {
			o.warn("the store file was not compacted", "path", o.path, "err", err)
		}
		db = compacted
	}
	if err != nil {
		_ = guard(db.Close) // the error that counts is known
		return nil, err
	}
	if db == nil {
		return nil, errClosed
	}
	return db, nil
}

// openFile opens the file with bbolt, without looking into it.
func openFile(o options, readOnly bool) (*bbolt.DB, error) {
	if err := recognize(o.path); err != nil {
		return nil, err
	}
	for {
		var file *os.File
		var db *bbolt.DB
		err := guard(func() (err error) {
			db, err = bbolt.Open(o.path, 0o600, &bbolt.Options{
				Timeout: max(o.lockWait, time.Millisecond), ReadOnly: readOnly, FreelistType: bbolt.FreelistMapType,
				OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
					file, err = os.OpenFile(name, flag, mode)
					return file, err
				},
			})
			return err
		})
		if err == nil && !sameFile(file, o.path) {
			// The process that had the file has replaced it while we waited for the lock.
			if err := db.Close(); err != nil {
				return nil, err
			}
			continue
		}
		switch {
		case err == nil:
			return db, nil
		case errors.Is(err, bolterrors.ErrTimeout):
			err = ErrLocked
		case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum), errors.Is(err, io.ErrUnexpectedEOF):
			err = fmt.Errorf("%w: %w", errDamaged, err)
		case errors.Is(err, bolterrors.ErrVersionMismatch):
			err = ErrForeign
		}
		if file != nil && errors.Is(err, errDamaged) {
			unlock(file)
			_ = file.Close() // unless bbolt did so already
		}
		return nil, err
	}
}

func sameFile(file *os.File, path string) bool {
	opened, err := file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(opened, there)
}

// boltMagic is in the header of both of a bbolt file's first two pages, 16 bytes after their start.
const (
	boltMagic    = 0xED0CDAED
	smallestFile = 4 * 4096 // bbolt writes four pages at once
)

// recognize tells a file that may be ours from one that is somebody else's and from one that lost its head.
func recognize(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return ErrForeign
	}
	if info.Size() == 0 {
		return nil // bbolt takes it as new
	}
	head := make([]byte, 64<<10) // the second page of any page size up to 32 KiB
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	head = head[:n]
	if bytes.Count(head, []byte{0}) == len(head) {
		return fmt.Errorf("%w: it begins with %d zeros", errDamaged, len(head))
	}
	ours := false
	for page := 0; page+20 <= len(head) && !ours; page += 512 {
		ours = binary.NativeEndian.Uint32(head[page+16:]) == boltMagic
	}
	if !ours {
		return ErrForeign
	}
	if len(head) < smallestFile {
		return fmt.Errorf("%w: it has only %d bytes", errDamaged, len(head))
	}
	return nil
}

// check reads every entry, so that damage is met now and not later.
func check(db *bbolt.DB) error {
	return db.View(func(tx *bbolt.Tx) error {
		live, expiry := tx.Bucket(entriesBucket), tx.Bucket(expiryBucket)
		if err := live.ForEach(func(key, b []byte) error {
			e, err := parseStored(key, b)
			if err != nil {
				return fmt.Errorf("%w: %q: %w", errDamaged, key, err)
			}
			if e.expires != 0 && expiry.Get(expiryKey(e.expires, key)) == nil {
				return fmt.Errorf("%w: %q expires, and is not among what does", errDamaged, key)
			}
			return nil
		}); err != nil {
			return err
		}
		if err := expiry.ForEach(func(_, _ []byte) error { return nil }); err != nil {
			return err
		}
		if tx.Size() > checkSize {
			return nil
		}
		var first error
		for err := range tx.Check() {
			if first == nil {
				first = fmt.Errorf("%w: %w", errDamaged, err)
			}
		}
		return first
	})
}

// A new file is written beside the old one as <path>.new and takes its place when it is complete.
func newPath(path string) string { return path + ".new" }

// finishReplacement does what a process that was killed while it replaced the file left undone. The file is only ever missing beside
// a new one when that is complete.
func finishReplacement(path string) error {
	if _, err := os.Stat(newPath(path)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return replace(newPath(path), path)
	}
	return nil // it is removed under the lock, by whoever makes the next
}

// replace renames a file, durably.
func replace(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(to))
}

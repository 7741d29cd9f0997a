package bolt

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"
)

// maxDamaged is how many damaged files are kept.
const maxDamaged = 3

// rescue moves a damaged file aside and puts in its place a new one with everything that can still be read. Nothing is lost: the
// damaged file stays. It returns a sentence for the operator, as an error that is no failure.
func rescue(o options, damage error) (told, err error) {
	kept, err := filepath.Glob(globEscape(o.path) + ".damaged-*")
	if err != nil {
		return nil, err
	}
	if len(kept) >= maxDamaged {
		return nil, fmt.Errorf("%w, and so are %d before it: look at the disk, then move %s.damaged-* away", damage, len(kept), o.path)
	}
	fresh := o
	fresh.path = newPath(o.path)
	to, err := openNew(fresh)
	if err != nil {
		return nil, err
	}
	version := uint64(len(o.steps)) + 1
	if err := to.Update(func(tx *bbolt.Tx) error { return makeBuckets(tx, version) }); err != nil {
		return nil, errors.Join(err, to.Close())
	}
	saved, err := copyReadable(to, o)
	if err := errors.Join(err, to.Close()); err != nil {
		return nil, err
	}
	aside := fmt.Sprintf("%s.damaged-%s", o.path, o.now().UTC().Format("20060102-150405"))
	if _, err := os.Stat(aside); err == nil {
		return nil, fmt.Errorf("%w, and %s exists", damage, aside)
	}
	if err := os.Rename(o.path, aside); err != nil {
		return nil, err
	}
	if err := replace(fresh.path, o.path); err != nil {
		return nil, err
	}
	o.warn("the store file was damaged and is repaired", "path", o.path, "kept", aside, "entries", saved, "err", damage)
	return fmt.Errorf("%w: it was moved to %s, and %d entries were saved from it", damage, aside, saved), nil
}

// globEscape makes a path match itself alone.
func globEscape(path string) string {
	escaped := make([]byte, 0, len(path))
	for _, c := range []byte(path) {
		if os.PathSeparator == '/' && (c == '*' || c == '?' || c == '[' || c == '\\') {
			escaped = append(escaped, '\\')
		}
		escaped = append(escaped, c)
	}
	return string(escaped)
}

// copyReadable copies entries of the damaged file: from the first on until damage, then from the last backwards.
func copyReadable(to *bbolt.DB, o options) (saved int, err error) {
	from, err := openFile(o, true)
	if errors.Is(err, errDamaged) {
		return 0, nil // not one entry can be found
	}
	if err != nil {
		return 0, err
	}
	defer func() { _ = guard(from.Close) }() // it was only read
	if version, err := version(from); err != nil || version != uint64(len(o.steps))+1 {
		return 0, nil // entries of another layout cannot be told
	}
	var batch []rescued
	flush := func() error {
		n, err := keep(to, batch)
		saved, batch = saved+n, batch[:0]
		return err
	}
	last := ""
	for _, forwards := range []bool{true, false} {
		var writing error
		reading := guard(func() error {
			return from.View(func(tx *bbolt.Tx) error {
				c := tx.Bucket(entriesBucket).Cursor()
				begin, next := c.First, c.Next
				if !forwards {
					begin, next = c.Last, c.Prev
				}
				for key, b := begin(); key != nil; key, b = next() {
					if !forwards && string(key) <= last {
						return nil
					}
					if e, err := parseStored(key, b); err == nil && len(key) > 0 {
						batch = append(batch, rescued{string(key), stored{e.version, e.expires, append([]byte(nil), e.value...)}})
					}
					if forwards {
						last = string(key)
					}
					if len(batch) >= sweepBatch {
						if writing = flush(); writing != nil {
							return writing
						}
					}
				}
				return nil
			})
		})
		if writing != nil {
			return saved, writing
		}
		if err := flush(); err != nil {
			return saved, err
		}
		if reading == nil {
			break // it came to the end
		}
	}
	return saved, nil
}

// rescued is an entry that was read from a damaged file.
type rescued struct {
	key string
	stored
}

// keep writes entries to the new file.
func keep(to *bbolt.DB, batch []rescued) (n int, err error) {
	err = to.Update(func(tx *bbolt.Tx) error {
		n = 0
		live, expiry := tx.Bucket(entriesBucket), tx.Bucket(expiryBucket)
		for _, r := range batch {
			if err := put(live, expiry, []byte(r.key), r.stored, stored{}, false); err != nil {
				return err
			}
			n++
		}
		return nil
	})
	return n, err
}

// version is versionOf for a file that may be damaged anywhere.
func version(db *bbolt.DB) (v uint64, err error) {
	err = guard(func() (err error) {
		v, err = versionOf(db)
		return err
	})
	return v, err
}

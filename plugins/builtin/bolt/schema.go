package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"go.etcd.io/bbolt"
)

// To change the layout of the file: append a migration to migrations and its test to schema_test.go. What it makes is the layout
// that all other code here knows.

// migration changes a file from one version of its layout to the next, in one transaction.
type migration func(*bbolt.Tx) error

// migrations[i] changes version i+1 to i+2. The newest version is len(migrations)+1.
var migrations []migration

var (
	ownerKey = []byte("owner")
	owner    = []byte("discv5host store")
	layout   = []byte("layout") // the version, 8 bytes
)

// prepare makes the buckets of a new file and migrates one of an older version. It refuses, without a change, what is
// foreign or newer.
func prepare(db *bbolt.DB, o options) error {
	newest := uint64(len(o.steps)) + 1
	version, err := versionOf(db)
	if err != nil {
		return err
	}
	switch {
	case version > newest:
		return fmt.Errorf("%w: version %d, and %d is the newest known", ErrNewer, version, newest)
	case version == newest:
		return nil
	case version == 0:
		return db.Update(func(tx *bbolt.Tx) error { return makeBuckets(tx, newest) })
	}
	if err := keepCopy(db, fmt.Sprintf("%s.v%d", o.path, version)); err != nil {
		return fmt.Errorf("a copy before the migration: %w", err)
	}
	o.warn("the store file is migrated", "path", o.path, "from", version, "to", newest)
	return db.Update(func(tx *bbolt.Tx) error {
		for _, step := range o.steps[version-1:] {
			if err := step(tx); err != nil {
				return fmt.Errorf("migration from version %d: %w", version, err)
			}
		}
		return setVersion(tx.Bucket(metaBucket), newest)
	})
}

// versionOf returns the version of a file's layout, 0 for an empty file.
func versionOf(db *bbolt.DB) (version uint64, err error) {
	err = db.View(func(tx *bbolt.Tx) error {
		first, _ := tx.Cursor().First()
		if first == nil {
			return nil
		}
		meta := tx.Bucket(metaBucket)
		if meta == nil || string(meta.Get(ownerKey)) != string(owner) {
			return ErrForeign
		}
		b := meta.Get(layout)
		if len(b) != 8 || tx.Bucket(entriesBucket) == nil || tx.Bucket(expiryBucket) == nil {
			return fmt.Errorf("%w: its layout is incomplete", errDamaged)
		}
		if version = binary.BigEndian.Uint64(b); version == 0 {
			return fmt.Errorf("%w: its layout has no version", errDamaged)
		}
		return nil
	})
	return version, err
}

func makeBuckets(tx *bbolt.Tx, version uint64) error {
	meta, err := tx.CreateBucket(metaBucket)
	if err != nil {
		return err
	}
	_, errEntries := tx.CreateBucket(entriesBucket)
	_, errExpiry := tx.CreateBucket(expiryBucket)
	return errors.Join(errEntries, errExpiry, meta.Put(ownerKey, owner), setVersion(meta, version))
}

func setVersion(meta *bbolt.Bucket, version uint64) error {
	return meta.Put(layout, binary.BigEndian.AppendUint64(nil, version))
}

// keepCopy writes a copy of the file, unless an attempt before this one did.
func keepCopy(db *bbolt.DB, path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	part := path + ".part"
	err := db.View(func(tx *bbolt.Tx) error { return tx.CopyFile(part, 0o600) })
	if err != nil {
		return err
	}
	if err := syncFile(part); err != nil {
		return err
	}
	return replace(part, path)
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

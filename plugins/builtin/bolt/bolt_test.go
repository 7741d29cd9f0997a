package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/discv5/host/sdk"
	"go.etcd.io/bbolt"
)

// file is a store file of a test, with a clock of its own.
type file struct {
	t    *testing.T
	path string
	now  time.Time
	warn []string
	*store
	repaired error
}

func newFile(t *testing.T) *file {
	f := &file{t: t, path: filepath.Join(t.TempDir(), "store.db"), now: time.UnixMilli(1_800_000_000_000)}
	t.Cleanup(func() {
		if f.store != nil && f.damaged == nil {
			if err := f.close(); err != nil {
				t.Errorf("close: %v", err)
			}
		}
	})
	return f
}

func (f *file) options() options {
	return options{
		path: f.path, lockWait: 20 * time.Millisecond, now: func() time.Time { return f.now }, steps: migrations,
		warn: func(message string, _ ...any) { f.warn = append(f.warn, message) },
	}
}

func (f *file) open() *file {
	f.t.Helper()
	var err error
	if f.store, f.repaired, err = open(f.options()); err != nil {
		f.t.Fatal(err)
	}
	return f
}

func (f *file) reopen() *file {
	f.t.Helper()
	if err := f.close(); err != nil {
		f.t.Fatal(err)
	}
	return f.open()
}

func (f *file) put(entries ...sdk.Entry) {
	f.t.Helper()
	if err := f.Put(context.Background(), entries); err != nil {
		f.t.Fatal(err)
	}
}

// has checks everything that the store tells, as "key=value@version" in the order of keys.
func (f *file) has(want ...string) {
	f.t.Helper()
	entries, err := f.Scan(context.Background(), nil, nil, sdk.MaxEntries)
	if err != nil {
		f.t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, fmt.Sprintf("%s=%s@%d", e.Key, e.Value, e.Version))
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		f.t.Fatalf("the store has %q, not %q", got, want)
	}
}

func entry(key, value string, version uint64) sdk.Entry {
	return sdk.Entry{Key: []byte(key), Value: []byte(value), Version: version}
}

func (f *file) expiring(key string, after time.Duration) sdk.Entry {
	return sdk.Entry{Key: []byte(key), Value: []byte("x"), Version: 5, Expires: f.now.Add(after)}
}

func TestVersions(t *testing.T) {
	f := newFile(t).open()
	f.put(entry("a", "2", 2), entry("b", "1", 1))
	f.put(entry("a", "1", 1), entry("b", "2", 2))
	f.has("a=2@2", "b=2@2")
	f.put(entry("a", "again", 2))
	f.reopen().has("a=again@2", "b=2@2")
	if err := f.Delete(context.Background(), []sdk.Entry{entry("a", "", 1), entry("b", "", 2), entry("c", "", 9)}); err != nil {
		t.Fatal(err)
	}
	f.has("a=again@2")
}

func TestExpiry(t *testing.T) {
	f := newFile(t).open()
	f.put(f.expiring("a", time.Minute), f.expiring("b", time.Hour), entry("c", "x", 5))
	f.put(f.expiring("a", 2*time.Minute)) // the same version may move the end
	f.now = f.now.Add(time.Minute)
	f.has("a=x@5", "b=x@5", "c=x@5")
	f.now = f.now.Add(time.Minute)
	f.has("b=x@5", "c=x@5")
	if found, err := f.Get(context.Background(), [][]byte{[]byte("a"), []byte("c")}); err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	f.put(entry("a", "new", 1)) // what has expired has no version
	f.has("a=new@1", "b=x@5", "c=x@5")
	f.now = f.now.Add(time.Hour)
	if n, err := f.sweep(context.Background()); n != 1 || err != nil {
		t.Fatalf("%d were removed (%v), not b alone", n, err)
	}
	f.has("a=new@1", "c=x@5")
	if due, err := f.due(context.Background()); due || err != nil {
		t.Fatal("something is due after a sweep", err)
	}
}

func TestSweepKeepsTheFileSmall(t *testing.T) {
	f := newFile(t).open()
	round := func() int64 {
		for batch := range 4 {
			var entries []sdk.Entry
			for i := range 1000 {
				e := f.expiring(fmt.Sprintf("%d/%d", batch, i), time.Hour)
				e.Value = make([]byte, 300)
				entries = append(entries, e)
			}
			f.put(entries...)
		}
		f.now = f.now.Add(2 * time.Hour)
		if n, err := f.sweep(context.Background()); n != 4000 || err != nil {
			t.Fatal(n, err)
		}
		return f.size(context.Background())
	}
	first := round()
	for range 5 {
		if now := round(); now > 2*first {
			t.Fatalf("the file grew from %d to %d bytes", first, now)
		}
	}
	f.has()
}

func TestCompactsAtTheStart(t *testing.T) {
	f := newFile(t).open()
	var entries []sdk.Entry
	for i := range 1000 {
		e := f.expiring(fmt.Sprint(i), time.Hour)
		e.Value = make([]byte, 8000)
		entries = append(entries, e)
	}
	for i := 0; i < len(entries); i += 100 {
		f.put(entries[i : i+100]...)
	}
	f.put(entry("stays", "here", 1))
	f.now = f.now.Add(2 * time.Hour)
	if _, err := f.sweep(context.Background()); err != nil {
		t.Fatal(err)
	}
	before := f.size(context.Background())
	f.reopen().has("stays=here@1")
	after := f.size(context.Background())
	if before < compactSize || after > before/10 {
		t.Errorf("the file had %d bytes and has %d", before, after)
	}
	f.put(entry("more", "x", 1))
	f.reopen().has("more=x@1", "stays=here@1")
	f.folder("store.db")
}

// folder checks which files there are beside the store.
func (f *file) folder(want ...string) {
	f.t.Helper()
	files, err := os.ReadDir(filepath.Dir(f.path))
	if err != nil {
		f.t.Fatal(err)
	}
	var got []string
	for _, file := range files {
		got = append(got, file.Name())
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		f.t.Errorf("the folder has %q, not %q", got, want)
	}
}

func TestFull(t *testing.T) {
	f := newFile(t).open()
	f.maxSize = 1
	f.damaged = nil
	var err error
	for i := 0; err == nil && i < 100; i++ {
		err = f.Put(context.Background(), []sdk.Entry{entry(fmt.Sprint(i), strings.Repeat("x", 60_000), 1)})
	}
	if !errors.Is(err, errFull) {
		t.Fatal("a full file took 6 MB:", err)
	}
	if err := f.health(); err == nil || !strings.Contains(err.Error(), "max_size_mb") {
		t.Error("health says", err)
	}
	if err := f.Delete(context.Background(), []sdk.Entry{entry("0", "", 1)}); err != nil {
		t.Error("a full file cannot be emptied:", err)
	}
}

func TestRefused(t *testing.T) {
	for _, test := range []struct {
		name string
		make func(f *file)
		want error
	}{
		{"locked", func(f *file) {
			other, _, err := open(f.options())
			if err != nil {
				f.t.Fatal(err)
			}
			f.t.Cleanup(func() { _ = other.close() })
		}, ErrLocked},
		{"text", func(f *file) { f.write([]byte(strings.Repeat("listen = 9001\n", 1000))) }, ErrForeign},
		{"a folder", func(f *file) {
			if err := os.Mkdir(f.path, 0o700); err != nil {
				f.t.Fatal(err)
			}
		}, ErrForeign},
		{"somebody else's bbolt file", func(f *file) {
			db, err := bbolt.Open(f.path, 0o600, nil)
			if err != nil {
				f.t.Fatal(err)
			}
			err = db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("blocks")); return err })
			if err := errors.Join(err, db.Close()); err != nil {
				f.t.Fatal(err)
			}
		}, ErrForeign},
		{"newer", func(f *file) {
			o := f.options()
			o.steps = []migration{nil}
			newer, _, err := open(o)
			if err != nil {
				f.t.Fatal(err)
			}
			if err := newer.close(); err != nil {
				f.t.Fatal(err)
			}
		}, ErrNewer},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFile(t)
			test.make(f)
			before, _ := os.ReadFile(f.path)
			_, _, err := open(f.options())
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), f.path) {
				t.Errorf("open: %v", err)
			}
			if after, _ := os.ReadFile(f.path); !bytes.Equal(before, after) {
				t.Error("the file changed")
			}
			f.folder("store.db")
		})
	}
}

func (f *file) write(b []byte) {
	f.t.Helper()
	if err := os.WriteFile(f.path, b, 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func TestMigration(t *testing.T) {
	f := newFile(t).open()
	f.put(entry("a", "1", 1))
	if err := f.close(); err != nil {
		t.Fatal(err)
	}
	o := f.options()
	o.steps = []migration{
		func(tx *bbolt.Tx) error {
			live := tx.Bucket(entriesBucket)
			return live.Put([]byte("b"), stored{version: 7, value: []byte("from 1")}.append(nil, []byte("b")))
		},
		func(tx *bbolt.Tx) error { return tx.Bucket(entriesBucket).Delete([]byte("a")) },
	}
	for range 2 { // the second time there is nothing to do
		var err error
		if f.store, _, err = open(o); err != nil {
			t.Fatal(err)
		}
		f.has("b=from 1@7")
		if err := f.close(); err != nil {
			t.Fatal(err)
		}
	}
	f.folder("store.db", "store.db.v1")
	f.path += ".v1"
	f.open().has("a=1@1")
}

func TestMigrationThatFails(t *testing.T) {
	f := newFile(t).open()
	f.put(entry("a", "1", 1))
	if err := f.close(); err != nil {
		t.Fatal(err)
	}
	o := f.options()
	o.steps = []migration{func(tx *bbolt.Tx) error {
		return errors.Join(tx.Bucket(entriesBucket).Delete([]byte("a")), errors.New("no"))
	}}
	if _, _, err := open(o); err == nil {
		t.Fatal("it opened")
	}
	f.open().has("a=1@1")
}

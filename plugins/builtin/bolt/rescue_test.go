package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/discv5/host/sdk"
)

// filled makes a file of 3000 entries and closes it.
func filled(t *testing.T) (f *file, content []byte) {
	t.Helper()
	f = newFile(t).open()
	for batch := range 3 {
		var entries []sdk.Entry
		for i := range 1000 {
			e := entry(fmt.Sprintf("%d/%04d", batch, i), "some value that fills a page sooner", 1)
			e.Expires = f.now.Add(1e15)
			entries = append(entries, e)
		}
		f.put(entries...)
	}
	if err := f.close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(f.path)
	if err != nil {
		t.Fatal(err)
	}
	return f, content
}

func TestDamage(t *testing.T) {
	_, content := filled(t)
	pages := len(content) / os.Getpagesize()
	opened, tried := 0, 0
	spoil := func(name string, least int, change func(b []byte) []byte) {
		t.Run(name, func(t *testing.T) {
			tried++
			f := newFile(t)
			damaged := change(append([]byte(nil), content...))
			f.write(damaged)
			f.open()
			n := 0
			if err := f.check(&n); err != nil {
				t.Fatal(err)
			}
			if f.repaired == nil {
				opened++ // what changed was of no use: a free page, or the older header
				if n != 3000 {
					t.Fatalf("%d entries and no word about damage", n)
				}
				return
			}
			if n < least {
				t.Errorf("%d entries were saved, not %d", n, least)
			}
			kept, err := filepath.Glob(f.path + ".damaged-*")
			if err != nil || len(kept) != 1 {
				t.Fatal("the damaged file is gone", err)
			}
			if b, _ := os.ReadFile(kept[0]); string(b) != string(damaged) {
				t.Error("the damaged file changed")
			}
			f.put(entry("new", "works", 1))
			if f.reopen(); f.repaired != nil {
				t.Error("the repaired file is damaged:", f.repaired)
			}
		})
	}
	page := os.Getpagesize()
	spoil("no bytes but zeros", 0, func(b []byte) []byte { clear(b); return b })
	spoil("cut in the middle", 0, func(b []byte) []byte { return b[:len(b)/2] })
	spoil("cut to a page", 0, func(b []byte) []byte { return b[:page] })
	spoil("both headers", 0, func(b []byte) []byte { b[40] ^= 1; b[page+40] ^= 1; return b })
	for _, i := range append([]int{0, 1, 2, 3, pages - 3, pages - 2, pages - 1}, steps(pages/9, pages)...) {
		spoil(fmt.Sprintf("page %d of zeros", i), 0, func(b []byte) []byte { clear(b[i*page : (i+1)*page]); return b })
		spoil(fmt.Sprintf("page %d of ones", i), 0, func(b []byte) []byte {
			for j := range page {
				b[i*page+j] = 0xff
			}
			return b
		})
		spoil(fmt.Sprintf("a byte in page %d", i), 0, func(b []byte) []byte { b[i*page+page/2+100] ^= 0x10; return b })
	}
	if tried-opened < 15 { // free pages may be spoiled without harm
		t.Errorf("%d of %d damaged files were taken as sound", opened, tried)
	}
}

// steps counts up to the end by a step.
func steps(step, end int) (all []int) {
	for i := step; i < end; i += step {
		all = append(all, i)
	}
	return all
}

// check counts the entries.
func (f *file) check(n *int) error {
	var after []byte
	for {
		entries, err := f.Scan(context.Background(), nil, after, sdk.MaxEntries)
		if err != nil || len(entries) == 0 {
			return err
		}
		*n += len(entries)
		after = entries[len(entries)-1].Key
	}
}

func TestSavesBothSidesOfTheDamage(t *testing.T) {
	f, content := filled(t)
	at := -1
	for i := range len(content) - 40 { // the value of an entry in the middle
		if string(content[i:i+6]) == "1/0500" && string(content[i+6+headerSize:i+10+headerSize]) == "some" {
			at = i + 30
		}
	}
	if at < 0 {
		t.Fatal("the entry is not in the file")
	}
	content[at] ^= 1
	f.write(content)
	f.open()
	n := 0
	if err := f.check(&n); err != nil || n != 2999 || f.repaired == nil {
		t.Fatalf("%d of 3000 entries were saved, %v, %v", n, f.repaired, err)
	}
	if err := f.health(); err != nil {
		t.Error("the repaired store is not healthy:", err)
	}
}

func TestTooMuchDamage(t *testing.T) {
	f, _ := filled(t)
	for i := range maxDamaged {
		if err := os.WriteFile(fmt.Sprintf("%s.damaged-%d", f.path, i), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f.write(make([]byte, 1<<20))
	if _, _, err := open(f.options()); !errors.Is(err, errDamaged) {
		t.Error(err)
	}
	f.folder("store.db", "store.db.damaged-0", "store.db.damaged-1", "store.db.damaged-2")
}

func TestKilledWhileItReplaces(t *testing.T) {
	f, content := filled(t)
	if err := os.Rename(f.path, newPath(f.path)); err != nil { // between the two renames
		t.Fatal(err)
	}
	n := 0
	if err := f.open().check(&n); err != nil || n != 3000 {
		t.Fatal(n, err)
	}
	if err := f.close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(newPath(f.path), content[:len(content)/2], 0o600); err != nil { // before the first
		t.Fatal(err)
	}
	n = 0
	if err := f.open().check(&n); err != nil || n != 3000 {
		t.Fatal(n, err)
	}
}

func TestDamageWhileInUse(t *testing.T) {
	f, content := filled(t)
	f.open()
	page := os.Getpagesize()
	clear(content[2*page:])
	f.write(content) // the same file, under the store's hands
	n := 0
	err := f.check(&n)
	if !errors.Is(err, errDamaged) {
		t.Fatalf("%d entries, %v", n, err)
	}
	if err := f.health(); !errors.Is(err, errDamaged) {
		t.Error("health says", err)
	}
	if err := f.Put(context.Background(), []sdk.Entry{entry("a", "1", 1)}); !errors.Is(err, errDamaged) {
		t.Error("put says", err)
	}
}

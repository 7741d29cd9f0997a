package record

import (
	"crypto/ecdsa"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
)

// reopen opens the record of a key that is not new.
func reopen(t testing.TB, path string, changes ...Change) (*Local, Report) {
	t.Helper()
	l, r, err := Open(start, Config{Path: path, Key: testKey(t)}, changes...)
	if err != nil {
		t.Fatal(err)
	}
	return l, r
}

// wantFile checks that the file holds what is published, and nothing else lies beside it.
func wantFile(t *testing.T, path string, l *Local) {
	t.Helper()
	if b, err := os.ReadFile(path); err != nil || string(b) != l.Self().String()+"\n" {
		t.Fatalf("file %q, %v; published %s", b, err, l.Self())
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Fatalf("the directory holds %v, %v", entries, err)
	}
}

func TestRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "record")
	l, r, err := Open(start, Config{Path: path, Key: testKey(t), FreshKey: true}, udp4("1.2.3.4:9000"))
	if err != nil || r != (Report{Start: First}) || l.Self().Seq() != 1 {
		t.Fatalf("first start: %+v, %v", r, err)
	}
	wantFile(t, path, l)
	before := l.Self().String()

	l, r = reopen(t, path, udp4("1.2.3.4:9000"))
	if r.Start != Kept || l.Self().String() != before || r.Previous.String() != before {
		t.Fatalf("unchanged: %+v, %s", r, l.Self())
	}
	l, r = reopen(t, path, udp4("1.2.3.4:9001"))
	if r.Start != Continued || l.Self().Seq() != 2 || r.Previous.String() != before {
		t.Fatalf("changed port: %+v, seq %d", r, l.Self().Seq())
	}
	l, r = reopen(t, path, udp4("1.2.3.4:9001"), set("extra", "x"))
	if r.Start != Continued || l.Self().Seq() != 3 {
		t.Fatalf("extra field: %+v, seq %d", r, l.Self().Seq())
	}
	wantUpdate(t, l, 4, true, set("extra", "y"))
	wantFile(t, path, l)
	if l, r, err = Open(start, Config{Path: path, Key: testKey(t), FreshKey: true}, udp4("1.2.3.4:9001"), set("extra", "y")); err != nil || r.Start != Kept || l.Self().Seq() != 4 {
		t.Fatalf("its own record beside a key called fresh: %+v, %v", r, err)
	}
	for _, fresh := range []bool{false, true} {
		l, _, err := Open(start, Config{Path: path, Key: otherKey(t), FreshKey: fresh})
		if l != nil || !errors.Is(err, ErrKeyMismatch) {
			t.Fatalf("other key: %v", err)
		}
	}
	l, _ = reopen(t, path, udp4("1.2.3.4:9001"), set("extra", "y"))
	wantUpdate(t, l, 4, false)
	wantFile(t, path, l)
}

func TestStartOfSeq(t *testing.T) {
	good := fresh(t).Self().String()
	ms := uint64(start.UnixMilli())
	for _, tc := range []struct {
		name  string
		file  string // "" = none
		fresh bool
		now   time.Time
		start Start
		seq   uint64
	}{
		{"fresh key", "", true, start, First, 1},
		{"fresh key, damaged file", "enr:-junk", true, start, First, 1},
		{"missing file", "", false, start, Clock, ms},
		{"empty file", "\n", false, start, Clock, ms},
		{"damaged file", good[:80], false, start, Clock, ms},
		{"bad signature", good[:10] + "AAAA" + good[14:], false, start, Clock, ms},
		{"clock at its beginning", "", false, time.Unix(0, 0), Clock, firstTimeSeq},
		{"clock before its beginning", "", false, time.Time{}, Clock, firstTimeSeq},
		{"good file", good, false, start, Kept, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "record")
			if tc.file != "" {
				path = writeFile(t, tc.file)
			}
			l, r, err := Open(tc.now, Config{Path: path, Key: testKey(t), FreshKey: tc.fresh})
			if err != nil || r.Start != tc.start || l.Self().Seq() != tc.seq || r.NotSaved != nil {
				t.Fatalf("%+v, %v, seq %d", r, err, l.Self().Seq())
			}
			damaged := tc.file != "" && tc.start != Kept
			if errors.Is(r.Problem, ErrDamaged) != damaged || errors.Is(r.Problem, fs.ErrNotExist) != (tc.file == "" && !tc.fresh) {
				t.Errorf("problem %v", r.Problem)
			}
			wantUpdate(t, l, tc.seq+1, true, set("k", "v"))
			wantFile(t, path, l)
		})
	}
	if l, r, err := Open(start, Config{Key: testKey(t)}); err != nil || r != (Report{Start: Clock}) || l.Self().Seq() != ms {
		t.Errorf("an old key in memory: %+v, %v", r, err)
	}
}

func TestRead(t *testing.T) {
	if _, err := Read(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := Read(writeFile(t, "junk")); !errors.Is(err, ErrDamaged) {
		t.Error(err)
	}
	if _, err := Read(t.TempDir()); err == nil || errors.Is(err, ErrDamaged) {
		t.Errorf("a directory: %v", err)
	}
	l := fresh(t)
	if n, err := Read(writeFile(t, l.Self().String())); err != nil || n.ID() != l.ID() {
		t.Error(err)
	}
}

// TestDiskFails makes the real file unwritable: a directory stands where the new file is written first.
func TestDiskFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "record")
	l, _, err := Open(start, Config{Path: path, Key: testKey(t), FreshKey: true}, set("k", "1"))
	if err != nil {
		t.Fatal(err)
	}
	block := func() {
		if err := os.Mkdir(path+tempSuffix, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	free := func() {
		if err := os.Remove(path + tempSuffix); err != nil {
			t.Fatal(err)
		}
	}
	block()
	n, changed, err := l.Update(set("k", "2"))
	if !errors.Is(err, ErrNotSaved) || changed || n.Seq() != 1 || l.Self().Seq() != 1 || !errors.Is(l.Degraded(), ErrNotSaved) {
		t.Fatalf("seq %d, changed %v, %v, degraded %v", n.Seq(), changed, err, l.Degraded())
	}
	// At the next start the same: the previous record stays, and the content waits.
	l, r := reopen(t, path, set("k", "2"))
	if !errors.Is(r.NotSaved, ErrNotSaved) || r.Start != Kept || l.Self().Seq() != 1 || l.Degraded() == nil {
		t.Fatalf("%+v, seq %d", r, l.Self().Seq())
	}
	if _, _, err := l.Update(); !errors.Is(err, ErrNotSaved) {
		t.Fatal(err)
	}
	free()
	wantUpdate(t, l, 2, true)
	if l.Degraded() != nil {
		t.Error(l.Degraded())
	}
	wantFile(t, path, l)
	wantUpdate(t, l, 2, false, set("k", "2"))

	// Without a previous record the new one is published all the same: there is nothing to hold on to.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	block()
	l, r = reopen(t, path, set("k", "3"))
	if !errors.Is(r.NotSaved, ErrNotSaved) || r.Start != Clock || l.Self().Seq() != uint64(start.UnixMilli()) {
		t.Fatalf("%+v, %v", r, l.Self())
	}
	free()
	wantUpdate(t, l, uint64(start.UnixMilli()), false) // saved at last, unchanged
	if l.Degraded() != nil {
		t.Error(l.Degraded())
	}
	wantFile(t, path, l)

	// A file that can neither be read nor written may hold a record: better no start than a number that repeats.
	dir := t.TempDir()
	if l, _, err := Open(start, Config{Path: dir, Key: testKey(t)}); l != nil || !errors.Is(err, ErrNotSaved) {
		t.Errorf("a directory as file: %v", err)
	}
}

// TestFailureAfterRename fails where the new file may already be in place: its number is not used again.
func TestFailureAfterRename(t *testing.T) {
	path := filepath.Join(t.TempDir(), "record")
	fails := false
	store := func(path string, text []byte) (bool, error) {
		replaced, err := replace(path, text)
		if fails {
			return true, errors.New("the directory could not be synced")
		}
		return replaced, err
	}
	l, _, err := open(start, Config{Path: path, Key: testKey(t), FreshKey: true}, store, nil)
	if err != nil {
		t.Fatal(err)
	}
	fails = true
	if n, _, err := l.Update(set("k", "lost")); !errors.Is(err, ErrNotSaved) || n.Seq() != 1 {
		t.Fatalf("seq %d, %v", n.Seq(), err)
	}
	fails = false
	wantUpdate(t, l, 1, false) // the file gets the published record back
	wantFile(t, path, l)
	wantUpdate(t, l, 3, true, set("k", "other"))
	wantFile(t, path, l)
}

// TestCrashLeavesATemporaryFile starts beside what a crash between write and rename has left.
func TestCrashLeavesATemporaryFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "record")
	l, _ := reopen(t, path, set("k", "1"))
	seq := l.Self().Seq()
	if err := os.WriteFile(path+tempSuffix, []byte("enr:half a rec"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, _ = reopen(t, path, set("k", "1"))
	if l.Self().Seq() != seq {
		t.Fatalf("seq %d, want %d", l.Self().Seq(), seq)
	}
	wantUpdate(t, l, seq+1, true, set("k", "2"))
	wantFile(t, path, l)
}

// disk is a file in memory that fails as it is told.
type disk struct {
	path string
	mode int // 0 works, 1 fails before the rename, 2 fails after it, 3 says so but has not replaced
}

func (d *disk) store(_ string, text []byte) (bool, error) {
	bad := errors.New("disk")
	if d.mode == 1 {
		return false, bad
	}
	if d.mode != 3 {
		if err := os.WriteFile(d.path, text, 0o600); err != nil {
			return false, err
		}
	}
	if d.mode != 0 {
		return true, bad
	}
	return true, nil
}

// TestSeqNeverRepeats throws updates, failures, restarts and lost files at a record and watches what peers would see.
func TestSeqNeverRepeats(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 1))
	for round := range 20 {
		d := &disk{path: filepath.Join(t.TempDir(), "record")}
		now, key := start, testKey(t)
		seen := make(map[uint64]string)
		var highest uint64
		var l *Local
		published := func(what string) {
			n := l.Self()
			if text, ok := seen[n.Seq()]; ok && text != n.String() || n.Seq() < highest {
				t.Fatalf("seed %d, round %d: %s published seq %d after %d, known %v", seed, round, what, n.Seq(), highest, ok)
			}
			seen[n.Seq()], highest = n.String(), n.Seq()
		}
		content := func() []Change {
			return []Change{set("k", uint8(rng.IntN(3))), {Owner: "chat", Set: map[string]any{"c": uint8(rng.IntN(2))}}}
		}
		restart := func(what string, fresh bool) {
			next, _, err := open(now, Config{Path: d.path, Key: key, FreshKey: fresh}, d.store, content())
			if err != nil {
				t.Fatalf("seed %d, round %d: %s: %v", seed, round, what, err)
			}
			l = next
			published(what)
		}
		restart("first start", true)
		for range 60 {
			now = now.Add(time.Second)
			d.mode = max(0, rng.IntN(8)-4)
			switch p := rng.IntN(20); {
			case p < 12:
				before := l.Self()
				n, changed, err := l.Update(content()...)
				if err != nil && (n != before || changed || l.Degraded() == nil) {
					t.Fatalf("seed %d, round %d: half an update: %v", seed, round, err)
				}
				if err == nil && (!sameContent(n.Record(), l.fields) || l.Degraded() != nil) {
					t.Fatalf("seed %d, round %d: success, but not what was asked for", seed, round)
				}
				published("update")
			case p < 14:
				_, _, _ = l.Update() // an error is checked by what is published
				published("retry")
			case p < 18:
				restart("restart", false)
			case p < 19:
				if err := os.Remove(d.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Fatal(err)
				}
				restart("restart without the file", false)
			default:
				if err := os.WriteFile(d.path, []byte("garbage"), 0o600); err != nil {
					t.Fatal(err)
				}
				restart("restart with a damaged file", false)
			}
		}
	}
}

// FuzzFile puts anything into the file: the start must go well, or say whose record it is.
func FuzzFile(f *testing.F) {
	good := fresh(f, set("k", "v")).Self().String()
	f.Add([]byte(good + "\n"))
	f.Add([]byte(good[:60]))
	f.Add([]byte("enr:"))
	f.Add([]byte{})
	f.Add([]byte("enr:\xff\n\n"))
	f.Add([]byte(enrOf(f, otherKey(f))))
	key := testKey(f)
	path := filepath.Join(f.TempDir(), "record")
	f.Fuzz(func(t *testing.T, file []byte) {
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		l, r, err := open(start, Config{Path: path, Key: key}, func(string, []byte) (bool, error) { return true, nil }, nil)
		if errors.Is(err, ErrKeyMismatch) || errors.Is(err, ErrSeqExhausted) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		checkRecord(t, l.Self())
		if (r.Previous == nil) != (r.Start == Clock) || (r.Previous == nil) != errors.Is(r.Problem, ErrDamaged) {
			t.Fatalf("%+v", r)
		}
		if r.Previous == nil && l.Self().Seq() != uint64(start.UnixMilli()) || r.Previous != nil && l.Self().Seq() < r.Previous.Seq() {
			t.Fatalf("seq %d, %+v", l.Self().Seq(), r)
		}
	})
}

func enrOf(t testing.TB, key *ecdsa.PrivateKey) string {
	t.Helper()
	l, _, err := Open(start, Config{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	return l.Self().String()
}

// FuzzChange lets a plugin set anything: it is refused, or a record comes out that every peer can read.
func FuzzChange(f *testing.F) {
	f.Add("k", []byte("v"))
	f.Add("k", []byte{0xc2, 0x81, 0x80})
	f.Add("ip", []byte{0x84, 1, 2, 3, 4})
	f.Add("id", []byte{0x82, 'v', '4'})
	f.Add("\xff\x00", []byte{0xc0})
	f.Add("long", append([]byte{0xb8, 200}, make([]byte, 200)...))
	l, _, err := Open(start, Config{Key: testKey(f), FreshKey: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, key string, raw []byte) {
		before := l.Self()
		n, _, err := l.Update(Change{Owner: "chat", Set: map[string]any{key: rlp.RawValue(raw)}})
		if err != nil {
			if n != before || !errors.Is(err, ErrReserved) && !errors.Is(err, ErrBadValue) && !errors.Is(err, ErrTooLarge) {
				t.Fatal(err)
			}
			return
		}
		checkRecord(t, n)
		if n.ID() != idOf(l) || size(t, n) > 300 || l.Usage().Size != size(t, n) {
			t.Fatalf("%s has %d bytes, %+v", n, size(t, n), l.Usage())
		}
		if _, _, err := l.Update(RemoveOwner("chat")); err != nil {
			t.Fatal(err)
		}
	})
}

// idOf is the node id as the specification has it: the hash of the public key's coordinates.
func idOf(l *Local) (id [32]byte) {
	copy(id[:], crypto.Keccak256(crypto.FromECDSAPub(&l.key.PublicKey)[1:]))
	return id
}

func BenchmarkSelf(b *testing.B) {
	l := fresh(b)
	for b.Loop() {
		_ = l.Self()
	}
}

func BenchmarkUpdateInMemory(b *testing.B) {
	l, i := fresh(b), uint32(0)
	for b.Loop() {
		i++
		if _, _, err := l.Update(set("k", i)); err != nil {
			b.Fatal(err)
		}
	}
}

// A write that failed is forgiven only when another one has worked, not because the file still holds what is published.
func TestDegradedUntilAWriteWorks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "record")
	l, _, err := Open(start, Config{Path: path, Key: testKey(t), FreshKey: true}, set("k", "1"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path+tempSuffix, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.Update(set("k", "2")); !errors.Is(err, ErrNotSaved) {
		t.Fatal(err)
	}
	for range 2 {
		if _, changed, err := l.Update(); changed || !errors.Is(err, ErrNotSaved) || !errors.Is(l.Degraded(), ErrNotSaved) {
			t.Fatalf("nothing could be written: changed %v, %v, degraded %v", changed, err, l.Degraded())
		}
	}
	if err := os.Remove(path + tempSuffix); err != nil {
		t.Fatal(err)
	}
	wantUpdate(t, l, 1, false)
	if l.Degraded() != nil {
		t.Error(l.Degraded())
	}
	wantFile(t, path, l)
}

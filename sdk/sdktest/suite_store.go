package sdktest

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/discv5/host/sdk"
	"github.com/discv5/host/sdk/pluginpb"
)

// store checks the service of a store plugin.
func (s *suiteRun) store(t T) {
	for _, part := range []struct {
		name string
		run  func(*storeTest)
	}{
		{"put and get", putAndGet},
		{"versions", versions},
		{"repeats", repeats},
		{"delete", deletes},
		{"expiry", expiry},
		{"scan", scan},
		{"sizes", sizes},
		{"full batch", fullBatch},
		{"values that fill a batch", fullBytes},
		{"calls beside each other", beside},
	} {
		t.Run(part.name, func(t T) {
			x := s.start(t)
			part.run(newStoreTest(t, x))
		})
	}
	t.Run("reopen", s.reopen)
	t.Run("watch", s.watch)
	t.Run("shared", s.shared)
}

// storeTest calls a store and compares. Its keys have a prefix of their own: the store may be in use.
type storeTest struct {
	t      T
	x      *session
	store  *Store
	prefix string
}

func newStoreTest(t T, x *session) *storeTest {
	prefix := fmt.Sprintf("sdktest/%d/", time.Now().UnixNano())
	return &storeTest{t, x, &Store{pluginpb.NewStoreClient(x.conn)}, prefix}
}

func (s *storeTest) ctx() context.Context {
	ctx, cancel := context.WithTimeout(s.x.ctx, answerTime)
	s.t.Cleanup(cancel)
	return ctx
}

func (s *storeTest) key(name string) []byte { return []byte(s.prefix + name) }

func (s *storeTest) entry(name, value string, version uint64) sdk.Entry {
	return sdk.Entry{Key: s.key(name), Value: []byte(value), Version: version}
}

func (s *storeTest) put(entries ...sdk.Entry) {
	s.t.Helper()
	if err := s.store.Put(s.ctx(), entries); err != nil {
		s.t.Fatalf("Put of %d entries: %v", len(entries), err)
	}
}

func (s *storeTest) delete(entries ...sdk.Entry) {
	s.t.Helper()
	if err := s.store.Delete(s.ctx(), entries); err != nil {
		s.t.Fatalf("Delete of %d entries: %v", len(entries), err)
	}
}

func (s *storeTest) scan(prefix, after string, limit int) []sdk.Entry {
	s.t.Helper()
	var from []byte
	if after != "" {
		from = s.key(after)
	}
	found, err := s.store.Scan(s.ctx(), s.key(prefix), from, limit)
	if err != nil {
		s.t.Fatalf("Scan: %v", err)
	}
	return found
}

// text writes entries as "key=value@version".
func (s *storeTest) text(entries []sdk.Entry) string {
	var b strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&b, "%s=%s@%d ", strings.TrimPrefix(string(e.Key), s.prefix), e.Value, e.Version)
	}
	return strings.TrimSuffix(b.String(), " ")
}

// has compares everything under the prefix.
func (s *storeTest) has(why, want string) {
	s.t.Helper()
	if got := s.text(s.scan("", "", sdk.MaxEntries)); got != want {
		s.t.Errorf("%s: the store has %q, not %q", why, got, want)
	}
}

func putAndGet(s *storeTest) {
	s.put(s.entry("a", "1", 1), s.entry("b", "", 2), s.entry("c", "3", 0))
	found, err := s.store.Get(s.ctx(), [][]byte{s.key("c"), s.key("none"), s.key("a"), s.key("b")})
	if err != nil {
		s.t.Fatalf("Get: %v", err)
	}
	if got := s.text(found); got != "c=3@0 a=1@1 b=@2" {
		s.t.Errorf("Get of c, none, a and b returned %q: those that exist are owed, in the order of the keys", got)
	}
	if found, err := s.store.Get(s.ctx(), nil); err != nil || len(found) != 0 {
		s.t.Errorf("Get of no keys: %v, %v", s.text(found), err)
	}
	s.put()
	s.delete()
}

func versions(s *storeTest) {
	s.put(s.entry("a", "5", 5))
	s.put(s.entry("a", "4", 4))
	s.has("a lower version is ignored", "a=5@5")
	s.put(s.entry("a", "5 again", 5))
	s.has("the same version is stored", "a=5 again@5")
	s.put(s.entry("a", "6", 6), s.entry("b", "1", 1), s.entry("a", "3", 3))
	s.has("a batch is put in its order", "a=6@6 b=1@1")
	s.put(s.entry("a", "4", 4), s.entry("b", "2", 2))
	s.has("one that is ignored does not hold up the others", "a=6@6 b=2@2")
	s.put(s.entry("c", "x", 1<<63))
	s.put(s.entry("c", "y", 1<<63-1))
	s.has("versions have 64 bits and no sign", "a=6@6 b=2@2 c=x@9223372036854775808")
}

func repeats(s *storeTest) {
	batch := []sdk.Entry{s.entry("a", "1", 1), s.entry("b", "2", 2)}
	for range 3 {
		s.put(batch...)
	}
	s.has("a repeat is harmless", "a=1@1 b=2@2")
	for range 3 {
		s.delete(batch[0])
	}
	s.has("so is a repeated delete", "b=2@2")
}

func deletes(s *storeTest) {
	s.put(s.entry("a", "5", 5), s.entry("b", "5", 5), s.entry("c", "5", 5))
	s.delete(s.entry("a", "", 4), s.entry("b", "", 5), s.entry("c", "", 6), s.entry("none", "", 9))
	s.has("Delete removes what has at most the given version", "a=5@5")
	s.put(s.entry("b", "1", 1))
	s.has("a removed key has no version", "a=5@5 b=1@1")
}

func expiry(s *storeTest) {
	soon := s.entry("soon", "x", 5)
	soon.Expires = time.Now().Add(400 * time.Millisecond).Truncate(time.Millisecond)
	later := s.entry("later", "x", 5)
	later.Expires = time.Now().Add(time.Hour).Truncate(time.Millisecond)
	past := s.entry("past", "x", 5)
	past.Expires = time.Now().Add(-time.Hour)
	s.put(soon, later, past, s.entry("never", "x", 5))
	found, err := s.store.Get(s.ctx(), [][]byte{soon.Key, later.Key})
	if err != nil {
		s.t.Fatalf("Get: %v", err)
	}
	for _, e := range found {
		want := later.Expires
		if bytes.Equal(e.Key, soon.Key) { // which may have expired
			want = soon.Expires
		}
		if !e.Expires.Equal(want) {
			s.t.Errorf("the entry expires at %s, not %s", e.Expires, want)
		}
	}
	if len(found) != 2 && time.Now().Before(soon.Expires) {
		s.t.Errorf("%d of 2 entries that have not expired exist", len(found))
	}
	timer := time.NewTimer(time.Until(soon.Expires) + 20*time.Millisecond)
	defer timer.Stop()
	<-timer.C
	s.has("what has expired counts as absent", "later=x@5 never=x@5")
	if found, err := s.store.Get(s.ctx(), [][]byte{soon.Key, past.Key}); err != nil || len(found) != 0 {
		s.t.Errorf("Get of what has expired: %q, %v", s.text(found), err)
	}
	if found := s.scan("", "", 1); s.text(found) != "later=x@5" {
		s.t.Errorf("Scan with limit 1 returned %q: what has expired does not count", s.text(found))
	}
	s.put(s.entry("soon", "new", 1))
	s.has("what has expired has no version", "later=x@5 never=x@5 soon=new@1")
	longer := later
	longer.Expires = time.Time{}
	s.put(longer)
	if found, err := s.store.Get(s.ctx(), [][]byte{later.Key}); err != nil || len(found) != 1 || !found[0].Expires.IsZero() {
		s.t.Errorf("a put of the same version without an expiry: %+v, %v", found, err)
	}
}

func scan(s *storeTest) {
	names := []string{"a", "a\x00", "a/1", "a/10", "a/2", "b", "b\xff", "b\xff\xff", "c"}
	var entries []sdk.Entry
	for i := range names {
		entries = append(entries, s.entry(names[(i*5)%len(names)], "x", 1)) // in some other order
	}
	s.put(entries...)
	order := func(found []sdk.Entry) string {
		var keys []string
		for _, e := range found {
			keys = append(keys, strings.TrimPrefix(string(e.Key), s.prefix))
		}
		return fmt.Sprintf("%q", keys)
	}
	expect := func(what, prefix, after string, limit int, want ...string) {
		s.t.Helper()
		if got := order(s.scan(prefix, after, limit)); got != fmt.Sprintf("%q", want) {
			s.t.Errorf("Scan %s returned %s, not %q", what, got, want)
		}
	}
	expect("of everything", "", "", sdk.MaxEntries, names...)
	expect("of a prefix", "a/", "", sdk.MaxEntries, "a/1", "a/10", "a/2")
	expect("of a prefix that ends in 0xff", "b\xff", "", sdk.MaxEntries, "b\xff", "b\xff\xff")
	expect("of a prefix that nothing has", "d", "", sdk.MaxEntries)
	expect("after a key", "", "a/10", sdk.MaxEntries, "a/2", "b", "b\xff", "b\xff\xff", "c")
	expect("after a key that does not exist", "", "a/15", sdk.MaxEntries, "a/2", "b", "b\xff", "b\xff\xff", "c")
	expect("after the last key", "", "c", sdk.MaxEntries)
	expect("of a prefix after a key before it", "b", "a", sdk.MaxEntries, "b", "b\xff", "b\xff\xff")
	expect("of a prefix after a key behind it", "a", "b", sdk.MaxEntries)
	expect("with a limit", "", "", 2, "a", "a\x00")
	expect("with a limit after a key", "", "a\x00", 3, "a/1", "a/10", "a/2")
	var paged []string
	for after := ""; ; {
		found := s.scan("", after, 2)
		for _, e := range found {
			after = strings.TrimPrefix(string(e.Key), s.prefix)
			paged = append(paged, after)
		}
		if len(found) < 2 || len(paged) > 2*len(names) {
			break
		}
	}
	if fmt.Sprint(paged) != fmt.Sprint(names) {
		s.t.Errorf("Scan in pages of 2 returned %q, not %q", paged, names)
	}
}

func sizes(s *storeTest) {
	long := s.entry(strings.Repeat("k", sdk.MaxKey-len(s.prefix)), strings.Repeat("v", sdk.MaxValue), 1)
	s.put(long)
	found, err := s.store.Get(s.ctx(), [][]byte{long.Key})
	if err != nil || len(found) != 1 || !bytes.Equal(found[0].Value, long.Value) {
		s.t.Errorf("a key of %d bytes with a value of %d does not come back: %v", sdk.MaxKey, sdk.MaxValue, err)
	}
	s.put(s.entry("\x00\xff\n", "\x00\xfe", 1))
	found, err = s.store.Get(s.ctx(), [][]byte{s.key("\x00\xff\n")})
	if err != nil || len(found) != 1 || string(found[0].Value) != "\x00\xfe" {
		s.t.Errorf("keys and values of any bytes do not come back: %q, %v", s.text(found), err)
	}
}

func fullBatch(s *storeTest) {
	entries, keys := make([]sdk.Entry, sdk.MaxEntries), make([][]byte, sdk.MaxEntries)
	for i := range entries {
		entries[i] = s.entry(fmt.Sprintf("%04d", i), fmt.Sprint(i), 1)
		keys[i] = entries[i].Key
	}
	s.put(entries...)
	for what, found := range map[string][]sdk.Entry{
		"Scan": s.scan("", "", sdk.MaxEntries), "Get": s.get(keys),
	} {
		if s.text(found) != s.text(entries) {
			s.t.Errorf("%s of %d entries returned %d of them, or others", what, len(entries), len(found))
		}
	}
	s.delete(entries...)
	s.has("after Delete of all", "")
}

func (s *storeTest) get(keys [][]byte) []sdk.Entry {
	s.t.Helper()
	found, err := s.store.Get(s.ctx(), keys)
	if err != nil {
		s.t.Fatalf("Get: %v", err)
	}
	return found
}

// fullBytes stores more than a batch may have and reads it in batches.
func fullBytes(s *storeTest) {
	const n = 40
	value := strings.Repeat("v", 60_000)
	for i := 0; i < n; i += 10 {
		var entries []sdk.Entry
		for j := i; j < i+10; j++ {
			entries = append(entries, s.entry(fmt.Sprintf("%02d", j), value, 1))
		}
		s.put(entries...)
	}
	seen, after := 0, ""
	for {
		found := s.scan("", after, sdk.MaxEntries)
		size := 0
		for _, e := range found {
			size += len(e.Key) + len(e.Value)
			after = strings.TrimPrefix(string(e.Key), s.prefix)
			if after != fmt.Sprintf("%02d", seen) || string(e.Value) != value {
				s.t.Fatalf("entry %d is %q", seen, after)
			}
			seen++
		}
		if size > sdk.MaxBatch {
			s.t.Fatalf("Scan returned %d bytes; %d are the most", size, sdk.MaxBatch)
		}
		if len(found) == 0 {
			break
		}
	}
	if seen != n {
		s.t.Errorf("Scan returned %d of %d entries: fewer than the limit may only come when they fill 1 MiB", seen, n)
	}
}

// beside calls the store from several goroutines. The host makes one call at a time, but a call that was given up may still run.
func beside(s *storeTest) {
	var all sync.WaitGroup
	ctx := s.ctx()
	failed := make(chan error, 64)
	for writer := range 4 {
		all.Go(func() {
			for i := range 8 {
				err := s.store.Put(ctx, []sdk.Entry{s.entry("counter", "x", uint64(8*writer+i)), s.entry(fmt.Sprint(writer), "y", uint64(i))})
				if err == nil {
					_, err = s.store.Scan(ctx, s.key(""), nil, 10)
				}
				if err != nil {
					failed <- err
					return
				}
			}
		})
	}
	all.Wait()
	close(failed)
	for err := range failed {
		s.t.Errorf("%v", err)
	}
	s.has("the newest versions", "0=y@7 1=y@7 2=y@7 3=y@7 counter=x@31")
}

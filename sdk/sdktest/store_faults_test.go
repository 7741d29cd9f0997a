package sdktest

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/discv5/host/sdk"
)

// faultyStore is a store with one fault, or none if that is "no".
type faultyStore struct {
	fault string

	mu       sync.Mutex
	entries  map[string]sdk.Entry
	changes  chan []sdk.Entry // of all stores of its kind
	watching map[chan []sdk.Entry]bool
}

// faultyStores makes plugins; those that are shared have their entries in common.
func faultyStores(fault string, shared bool) func() sdk.Plugin {
	common := &faultyStore{fault: fault, entries: map[string]sdk.Entry{}, watching: map[chan []sdk.Entry]bool{}}
	return func() sdk.Plugin {
		p := &sdk.StorePlugin{Info: sdk.Info{Name: "store", Version: "1"}, Store: common}
		switch {
		case shared:
			p.Store, p.Shared, p.Durable = watcher{common}, true, fault != "forgets everything"
		case fault == "forgets everything":
			p.Durable = true
			p.Store = &faultyStore{fault: fault, entries: map[string]sdk.Entry{}}
		}
		return p
	}
}

// watcher is a store that can be watched.
type watcher struct{ *faultyStore }

func (s watcher) Watch(ctx context.Context, prefix []byte, changed func([]sdk.Entry)) error {
	events := make(chan []sdk.Entry, 64)
	s.mu.Lock()
	s.watching[events] = true
	s.mu.Unlock()
	for {
		select {
		case <-ctx.Done():
			return nil
		case entries := <-events:
			entries = slices.DeleteFunc(slices.Clone(entries), func(e sdk.Entry) bool {
				return !bytes.HasPrefix(e.Key, prefix) && s.fault != "watches everything"
			})
			if len(entries) > 0 && s.fault != "watches nothing" {
				changed(entries)
			}
		}
	}
}

func (s *faultyStore) expired(e sdk.Entry) bool {
	return !e.Expires.IsZero() && !time.Now().Before(e.Expires) && s.fault != "never expires"
}

func (s *faultyStore) Put(_ context.Context, entries []sdk.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, e := range entries {
		old, there := s.entries[string(e.Key)]
		stale := there && !s.expired(old) && old.Version > e.Version
		switch s.fault {
		case "any version":
			stale = false
		case "newer versions only":
			stale = there && !s.expired(old) && old.Version >= e.Version
		case "signed versions":
			stale = there && !s.expired(old) && int64(old.Version) > int64(e.Version)
		case "expired versions count":
			stale = there && old.Version > e.Version
		case "drops the last of a batch":
			stale = stale || i == sdk.MaxEntries-1
		case "stops at a stale one":
			if stale {
				return nil
			}
		case "short keys":
			stale = stale || len(e.Key) > 255
		case "keeps the first expiry":
			if there && !s.expired(old) {
				e.Expires = old.Expires
			}
		case "text only":
			e.Value = []byte(strings.ToValidUTF8(string(e.Value), "?"))
		}
		if !stale {
			s.entries[string(e.Key)] = e
		}
	}
	for events := range s.watching {
		select {
		case events <- entries:
		default:
		}
	}
	return nil
}

func (s *faultyStore) Get(_ context.Context, keys [][]byte) (found []sdk.Entry, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault == "gets in order of keys" {
		slices.SortFunc(keys, bytes.Compare)
	}
	for _, key := range keys {
		if e, ok := s.entries[string(key)]; ok && !s.expired(e) || s.fault == "gets what is not there" {
			if e.Key == nil {
				e.Key = key
			}
			found = append(found, e)
		}
	}
	return found, nil
}

func (s *faultyStore) Scan(_ context.Context, prefix, after []byte, limit int) (found []sdk.Entry, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, e := range s.entries {
		if !strings.HasPrefix(key, string(prefix)) || key < string(after) || s.expired(e) {
			continue
		}
		if key == string(after) && s.fault != "scans from after on" {
			continue
		}
		found = append(found, e)
	}
	if s.fault != "scans in any order" {
		slices.SortFunc(found, func(a, b sdk.Entry) int { return bytes.Compare(a.Key, b.Key) })
	}
	if s.fault == "scans backwards" {
		slices.Reverse(found)
	}
	if s.fault == "ignores prefixes' ends" {
		found = slices.DeleteFunc(found, func(e sdk.Entry) bool { return bytes.Contains(e.Key[len(prefix):], []byte("\xff\xff")) })
	}
	return found[:min(limit, len(found))], nil
}

func (s *faultyStore) Delete(_ context.Context, entries []sdk.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range entries {
		old, there := s.entries[string(e.Key)]
		switch {
		case there && old.Version > e.Version && s.fault != "deletes any version":
		case there && old.Version == e.Version && s.fault == "deletes older versions only":
		case s.fault == "deletes nothing":
		case s.fault == "remembers deleted versions" && there:
			old.Expires = time.Now().Add(-time.Hour)
			s.entries[string(e.Key)] = old
		default:
			delete(s.entries, string(e.Key))
		}
	}
	return nil
}

func TestStoreFaults(t *testing.T) {
	all := make(together, 8)
	defer all.wait()
	for _, test := range []struct{ fault, fails string }{
		{"any version", "versions"},
		{"newer versions only", "versions"},
		{"signed versions", "versions"},
		{"stops at a stale one", "versions"},
		{"deletes any version", "delete"},
		{"deletes older versions only", "delete"},
		{"deletes nothing", "delete"},
		{"never expires", "expiry"},
		{"expired versions count", "expiry"},
		{"keeps the first expiry", "expiry"},
		{"gets in order of keys", "put and get"},
		{"gets what is not there", "put and get"},
		{"scans from after on", "scan"},
		{"scans in any order", "scan"},
		{"scans backwards", "scan"},
		{"ignores prefixes' ends", "scan"},
		{"short keys", "sizes"},
		{"text only", "sizes"},
		{"drops the last of a batch", "full batch"},
		{"forgets everything", "reopen"},
	} {
		all.do(t, test.fault, func(t *testing.T) {
			source := Source{New: faultyStores(test.fault, false)}
			if failed, report := failures(source, func(s *suiteRun) func(T) { return s.store }, test.fails); len(failed) != 1 {
				t.Errorf("the part %q went well:\n%s", test.fails, report)
			}
		})
	}
	for _, fault := range []string{"watches everything", "watches nothing"} {
		all.do(t, fault, func(t *testing.T) {
			source := Source{New: faultyStores(fault, true)}
			if failed, report := failures(source, func(s *suiteRun) func(T) { return s.store }, "watch"); len(failed) != 1 {
				t.Errorf("the part watch went well:\n%s", report)
			}
		})
	}
}

func TestStoreWithoutFault(t *testing.T) {
	t.Run("alone", func(t *testing.T) { Conformance(t, Source{New: faultyStores("no", false)}) })
	t.Run("shared", func(t *testing.T) { Conformance(t, Source{New: faultyStores("no", true)}) })
}

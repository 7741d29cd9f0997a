package sdk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/discv5/host/sdk/pluginpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// memoryStore notes what it is asked and returns what it is told.
type memoryStore struct {
	put, deleted, found []Entry
	scanned             string
	err                 error
}

func (s *memoryStore) Put(_ context.Context, e []Entry) error { s.put = e; return s.err }
func (s *memoryStore) Get(context.Context, [][]byte) ([]Entry, error) {
	if s.err == nil && s.found == nil {
		panic("lost")
	}
	return s.found, s.err
}
func (s *memoryStore) Scan(_ context.Context, prefix, after []byte, limit int) ([]Entry, error) {
	s.scanned = fmt.Sprintf("%s %s %d", prefix, after, limit)
	return s.found, s.err
}
func (s *memoryStore) Delete(_ context.Context, e []Entry) error { s.deleted = e; return s.err }

func storeWith(t *testing.T, store Store) (*served, pluginpb.StoreClient) {
	s := serve(t, &StorePlugin{Info: Info{Name: "s"}, Store: store})
	s.configure(t, &pluginpb.ConfigureRequest{})
	return s, pluginpb.NewStoreClient(s.conn)
}

func TestStore(t *testing.T) {
	store := &memoryStore{}
	_, c := storeWith(t, store)
	when := time.UnixMilli(1_700_000_000_123)
	entries := []*pluginpb.Entry{{Key: []byte("k"), Value: []byte("v"), Version: 1<<64 - 1, ExpiresMs: uint64(when.UnixMilli())}, {Key: []byte("l")}}
	if _, err := c.Put(t.Context(), &pluginpb.PutRequest{Entries: entries}); err != nil {
		t.Fatal(err)
	}
	if e := store.put; len(e) != 2 || string(e[0].Key) != "k" || string(e[0].Value) != "v" || e[0].Version != 1<<64-1 || !e[0].Expires.Equal(when) || !e[1].Expires.IsZero() {
		t.Errorf("put %+v", e)
	}
	if _, err := c.Delete(t.Context(), &pluginpb.DeleteRequest{Entries: entries}); err != nil || len(store.deleted) != 2 {
		t.Errorf("deleted %+v, %v", store.deleted, err)
	}
	store.found = store.put
	got, err := c.Get(t.Context(), &pluginpb.GetRequest{Keys: [][]byte{[]byte("k"), []byte("l")}})
	if err != nil || len(got.Entries) != 2 || got.Entries[0].Version != 1<<64-1 || got.Entries[0].ExpiresMs != uint64(when.UnixMilli()) || got.Entries[1].ExpiresMs != 0 {
		t.Errorf("got %v, %v", got, err)
	}
	got, err = c.Scan(t.Context(), &pluginpb.ScanRequest{Prefix: []byte("p"), After: []byte("a"), Limit: 1})
	if err != nil || store.scanned != "p a 1" || len(got.Entries) != 1 {
		t.Errorf("scan %q: %v, %v; more than the limit is cut off", store.scanned, got, err)
	}
}

func TestStoreBounds(t *testing.T) {
	store := &memoryStore{found: []Entry{}}
	_, c := storeWith(t, store)
	value := make([]byte, MaxValue)
	many := make([]*pluginpb.Entry, MaxEntries+1)
	keys := make([][]byte, MaxEntries+1)
	for i := range many {
		keys[i] = fmt.Append(nil, i)
		many[i] = &pluginpb.Entry{Key: keys[i]}
	}
	var large []*pluginpb.Entry
	for i := range MaxBatch / MaxValue {
		large = append(large, &pluginpb.Entry{Key: keys[i], Value: value})
	}
	for what, entries := range map[string][]*pluginpb.Entry{
		"no key":      {{}},
		"long key":    {{Key: value[:MaxKey+1]}},
		"long value":  {{Key: keys[0], Value: append(value, 0)}},
		"entries":     many,
		"large batch": large,
	} {
		if _, err := c.Put(t.Context(), &pluginpb.PutRequest{Entries: entries}); status.Code(err) != codes.InvalidArgument {
			t.Errorf("Put, %s: %v", what, err)
		}
		if _, err := c.Delete(t.Context(), &pluginpb.DeleteRequest{Entries: entries}); status.Code(err) != codes.InvalidArgument {
			t.Errorf("Delete, %s: %v", what, err)
		}
	}
	if store.put != nil || store.deleted != nil {
		t.Error("the store was asked")
	}
	if _, err := c.Put(t.Context(), &pluginpb.PutRequest{Entries: large[1:]}); err != nil {
		t.Errorf("Put of what is allowed: %v", err)
	}
	for what, keys := range map[string][][]byte{"keys": keys, "no key": {nil}, "long key": {value[:MaxKey+1]}} {
		if _, err := c.Get(t.Context(), &pluginpb.GetRequest{Keys: keys}); status.Code(err) != codes.InvalidArgument {
			t.Errorf("Get, %s: %v", what, err)
		}
	}
	for _, limit := range []uint32{0, MaxEntries + 1} {
		if _, err := c.Scan(t.Context(), &pluginpb.ScanRequest{Limit: limit}); status.Code(err) != codes.InvalidArgument {
			t.Errorf("Scan with limit %d: %v", limit, err)
		}
	}
	store.found = nil
	for i := range 2 * MaxBatch / MaxValue {
		store.found = append(store.found, Entry{Key: keys[i], Value: value})
	}
	got, err := c.Scan(t.Context(), &pluginpb.ScanRequest{Limit: MaxEntries})
	if err != nil || len(got.Entries) != MaxBatch/MaxValue-1 {
		t.Errorf("Scan of too much: %d entries, %v", len(got.GetEntries()), err)
	}
	if _, err := c.Get(t.Context(), &pluginpb.GetRequest{Keys: keys[:100]}); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("Get of too much: %v", err)
	}
	if _, err := c.Get(t.Context(), &pluginpb.GetRequest{Keys: keys[:1]}); status.Code(err) != codes.Internal {
		t.Errorf("Get of more than was asked: %v", err)
	}
}

func TestStoreFails(t *testing.T) {
	store := &memoryStore{}
	s := serve(t, &StorePlugin{Info: Info{Name: "s"}, Store: store})
	c := pluginpb.NewStoreClient(s.conn)
	if _, err := c.Put(t.Context(), &pluginpb.PutRequest{}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("Put before Configure: %v", err)
	}
	s.configure(t, &pluginpb.ConfigureRequest{})
	if _, err := c.Get(t.Context(), &pluginpb.GetRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("panic: %v", err)
	}
	for want, err := range map[codes.Code]error{codes.Unavailable: errors.New("disk\xff"), codes.DeadlineExceeded: context.DeadlineExceeded, codes.Canceled: context.Canceled} {
		store.err = err
		if _, err := c.Put(t.Context(), &pluginpb.PutRequest{}); status.Code(err) != want {
			t.Errorf("%v, want %v", err, want)
		}
	}
	stream, err := c.Watch(t.Context(), &pluginpb.WatchRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); status.Code(err) != codes.Unimplemented {
		t.Errorf("Watch of a store that does not: %v", err)
	}
}

type feed struct {
	memoryStore
	changes []Entry
	ended   chan struct{}
}

func (f *feed) Watch(ctx context.Context, prefix []byte, changed func([]Entry)) error {
	changed(slices.DeleteFunc(slices.Clone(f.changes), func(e Entry) bool { return !bytes.HasPrefix(e.Key, prefix) }))
	<-ctx.Done()
	close(f.ended)
	return nil
}

func TestStoreWatch(t *testing.T) {
	f := &feed{ended: make(chan struct{})}
	for i := range MaxEntries + 10 {
		f.changes = append(f.changes, Entry{Key: fmt.Append(nil, "a", i), Version: uint64(i)}, Entry{Key: []byte("b")})
	}
	s, c := storeWith(t, f)
	stream, err := c.Watch(s.ctx, &pluginpb.WatchRequest{Prefix: []byte("a")})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{MaxEntries, 10} {
		m, err := stream.Recv()
		if err != nil || len(m.Entries) != want {
			t.Fatalf("%d changes, want %d; %v", len(m.GetEntries()), want, err)
		}
	}
	if _, err := s.control.Drain(t.Context(), &pluginpb.DrainRequest{}); err != nil {
		t.Fatal(err)
	}
	within(t, "the end of the watch by the drain", f.ended)
}

package link

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/discv5/host/core"
	"github.com/discv5/host/sdk/pluginpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// storePlugin keeps entries in a map, and remembers the sizes of the calls.
type storePlugin struct {
	pluginpb.UnimplementedStoreServer
	mu      sync.Mutex
	entries map[string]*pluginpb.Entry
	calls   []string
	spoil   func([]*pluginpb.Entry) []*pluginpb.Entry // what it lies
	fail    error
	hang    bool
}

func (p *storePlugin) called(ctx context.Context, what string, n int) error {
	p.calls = append(p.calls, fmt.Sprintf("%s %d", what, n))
	if p.hang {
		<-ctx.Done()
		return ctx.Err() // at the same instant as the caller's deadline: it must not look like success
	}
	return p.fail
}

func (p *storePlugin) Put(ctx context.Context, m *pluginpb.PutRequest) (*pluginpb.PutResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range m.Entries {
		p.entries[string(e.Key)] = e
	}
	return &pluginpb.PutResponse{}, p.called(ctx, "put", len(m.Entries))
}

func (p *storePlugin) Delete(ctx context.Context, m *pluginpb.DeleteRequest) (*pluginpb.DeleteResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range m.Entries {
		if len(e.Value) > 0 {
			return nil, errors.New("a value to delete")
		}
		delete(p.entries, string(e.Key))
	}
	return &pluginpb.DeleteResponse{}, p.called(ctx, "delete", len(m.Entries))
}

func (p *storePlugin) Get(ctx context.Context, m *pluginpb.GetRequest) (*pluginpb.Entries, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := &pluginpb.Entries{}
	for _, k := range m.Keys {
		if e := p.entries[string(k)]; e != nil {
			out.Entries = append(out.Entries, e)
		}
	}
	return p.told(out), p.called(ctx, "get", len(m.Keys))
}

func (p *storePlugin) Scan(ctx context.Context, m *pluginpb.ScanRequest) (*pluginpb.Entries, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := &pluginpb.Entries{}
	var keys []string
	for k := range p.entries {
		if strings.HasPrefix(k, string(m.Prefix)) && k > string(m.After) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	size := 0
	for _, k := range keys[:min(len(keys), int(m.Limit))] {
		e := p.entries[k]
		if size += len(e.Key) + len(e.Value); size > maxStoreBatch {
			break
		}
		out.Entries = append(out.Entries, e)
	}
	return p.told(out), p.called(ctx, "scan", int(m.Limit))
}

func (p *storePlugin) told(m *pluginpb.Entries) *pluginpb.Entries {
	if p.spoil == nil {
		return m
	}
	m = proto.Clone(m).(*pluginpb.Entries)
	m.Entries = p.spoil(m.Entries)
	return m
}

func (p *storePlugin) Watch(m *pluginpb.WatchRequest, s grpc.ServerStreamingServer[pluginpb.Entries]) error {
	for i := range 3 {
		key := append(bytes.Clone(m.Prefix), byte('0'+i))
		if err := s.Send(p.told(&pluginpb.Entries{Entries: []*pluginpb.Entry{{Key: key, Version: uint64(i)}}})); err != nil {
			return err
		}
	}
	return p.fail
}

func openStore(t *testing.T, p *storePlugin) *Store {
	t.Helper()
	p.entries = make(map[string]*pluginpb.Entry)
	return NewStore(connect(t, func(s *grpc.Server) { pluginpb.RegisterStoreServer(s, p) }))
}

func entries(n, size int) (all []core.Entry) {
	for i := range n {
		all = append(all, core.Entry{Key: fmt.Appendf(nil, "k/%05d", i), Value: bytes.Repeat([]byte{'v'}, size), Version: uint64(i)})
	}
	return all
}

func keysOf(all []core.Entry) (keys [][]byte) {
	for _, e := range all {
		keys = append(keys, e.Key)
	}
	return keys
}

func TestStoreSplitsWhatIsLarge(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		for _, c := range []struct {
			n, size int
			calls   []string // of put, get, scan, delete
		}{
			{3, 10, []string{"put 3", "get 3", "scan 1024", "delete 3"}},
			{2000, 10, []string{"put 1024", "put 976", "get 1024", "get 976", "scan 1024", "delete 1024", "delete 976"}},
			{40, 60_000, []string{"put 17", "put 17", "put 6", "get 40", "scan 1024", "delete 40"}},
			{100, 60_000, nil}, // its get exceeds a message and is halved
		} {
			p := &storePlugin{}
			s := openStore(t, p)
			ctx, all := context.Background(), entries(c.n, c.size)
			all[0].Expires = time.UnixMilli(1_900_000_000_000)
			if err := s.Put(ctx, all); err != nil {
				t.Fatal(err)
			}
			for what, get := range map[string]func() ([]core.Entry, error){
				"get":  func() ([]core.Entry, error) { return s.Get(ctx, keysOf(all)) },
				"scan": func() ([]core.Entry, error) { return s.Scan(ctx, []byte("k/"), nil, 5000) },
			} {
				got, err := get()
				if err != nil || len(got) != c.n {
					t.Fatalf("%s of %d: %d entries, %v", what, c.n, len(got), err)
				}
				for i, e := range got {
					if string(e.Key) != string(all[i].Key) || string(e.Value) != string(all[i].Value) || e.Version != all[i].Version || !e.Expires.Equal(all[i].Expires) {
						t.Fatalf("%s: entry %d is %q, version %d, until %v", what, i, e.Key, e.Version, e.Expires)
					}
				}
			}
			if got, err := s.Scan(ctx, []byte("k/"), all[0].Key, 2); err != nil || len(got) != 2 || string(got[0].Key) != string(all[1].Key) {
				t.Errorf("scan from the first: %v, %v", got, err)
			}
			if err := s.Delete(ctx, all); err != nil || len(p.entries) != 0 {
				t.Fatalf("delete leaves %d: %v", len(p.entries), err)
			}
			for _, call := range c.calls {
				if !slices.Contains(p.calls, call) {
					t.Errorf("%d entries of %d bytes: calls are %v, missing %s", c.n, c.size, p.calls, call)
				}
			}
		}
	})
}

func TestStoreRefusesWhatDoesNotFit(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p := &storePlugin{}
		s := openStore(t, p)
		for _, e := range []core.Entry{{}, {Key: make([]byte, 513)}, {Key: []byte("k"), Value: make([]byte, 64<<10+1)}} {
			if err := s.Put(context.Background(), []core.Entry{e}); err == nil {
				t.Errorf("put %d bytes of key, %d of value", len(e.Key), len(e.Value))
			}
		}
		if _, err := s.Get(context.Background(), [][]byte{nil}); err == nil {
			t.Error("got an empty key")
		}
		if len(p.calls) > 0 {
			t.Errorf("calls are %v", p.calls)
		}
	})
}

func TestStoreRefusesLies(t *testing.T) {
	for name, lie := range map[string]func([]*pluginpb.Entry) []*pluginpb.Entry{
		"a key that was not asked for": func(e []*pluginpb.Entry) []*pluginpb.Entry { e[0].Key = []byte("x"); return e },
		"another order":                func(e []*pluginpb.Entry) []*pluginpb.Entry { slices.Reverse(e); return e },
		"an entry twice":               func(e []*pluginpb.Entry) []*pluginpb.Entry { return append(slices.Clone(e), e[2]) },
		"an empty key":                 func(e []*pluginpb.Entry) []*pluginpb.Entry { e[0].Key = nil; return e },
		"a huge value":                 func(e []*pluginpb.Entry) []*pluginpb.Entry { e[0].Value = make([]byte, 1<<20); return e },
		"no entry":                     func(e []*pluginpb.Entry) []*pluginpb.Entry { return append(e, &pluginpb.Entry{}) },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				p := &storePlugin{}
				s := openStore(t, p)
				all := entries(3, 3)
				if err := s.Put(context.Background(), all); err != nil {
					t.Fatal(err)
				}
				p.spoil = lie
				if got, err := s.Get(context.Background(), keysOf(all)); !errors.Is(err, ErrInvalid) || got != nil {
					t.Errorf("get: %v, %v", got, err)
				}
				if got, err := s.Scan(context.Background(), []byte("k/"), nil, 10); !errors.Is(err, ErrInvalid) || got != nil {
					t.Errorf("scan: %v, %v", got, err)
				}
			})
		})
	}
}

func TestStoreScanEndsWhateverThePluginSays(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p := &storePlugin{}
		s := openStore(t, p)
		p.spoil = func([]*pluginpb.Entry) []*pluginpb.Entry {
			var many []*pluginpb.Entry
			for _, e := range entries(2000, 1) {
				many = append(many, &pluginpb.Entry{Key: e.Key})
			}
			return many
		}
		if _, err := s.Scan(context.Background(), []byte("k/"), nil, 10); !errors.Is(err, ErrInvalid) {
			t.Errorf("scan: %v", err)
		}
	})
}

func TestStoreWaitsOnlySoLong(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := openStore(t, &storePlugin{hang: true})
		for _, deadline := range []time.Duration{0, time.Second} {
			ctx, cancel := context.WithCancel(context.Background())
			want := storeDeadline
			if deadline > 0 {
				ctx, cancel = context.WithTimeout(context.Background(), deadline)
				want = deadline
			}
			start := time.Now()
			err := s.Put(ctx, entries(1, 1))
			if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrFailed) || took != want {
				t.Errorf("put ended after %v, want %v: %v", took, want, err)
			}
			cancel()
		}
	})
}

func TestStoreErrorsAreNoReasonToGiveUp(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := openStore(t, &storePlugin{fail: status.Error(codes.InvalidArgument, "disk\x1b full")})
		err := s.Put(context.Background(), entries(1, 1))
		if !errors.Is(err, ErrFailed) || !strings.Contains(err.Error(), "disk full") {
			t.Errorf("put: %v", err)
		}
	})
}

func TestStoreWatches(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p := &storePlugin{fail: errors.New("over")}
		s := openStore(t, p)
		var seen []string
		err := s.Watch(context.Background(), []byte("node/"), func(all []core.Entry) {
			for _, e := range all {
				seen = append(seen, string(e.Key))
			}
		})
		if !errors.Is(err, ErrFailed) || !slices.Equal(seen, []string{"node/0", "node/1", "node/2"}) {
			t.Errorf("saw %v, then %v", seen, err)
		}
		p.spoil = func(e []*pluginpb.Entry) []*pluginpb.Entry { e[0].Key = []byte("host/x"); return e }
		if err := s.Watch(context.Background(), []byte("node/"), func([]core.Entry) { t.Error("saw a lie") }); !errors.Is(err, ErrInvalid) {
			t.Errorf("a change elsewhere: %v", err)
		}
	})
}

package sdk

import (
	"context"
	"errors"

	"github.com/discv5/host/sdk/pluginpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

type storeServer struct {
	pluginpb.UnimplementedStoreServer
	in    *instance
	store Store
}

// do calls the plugin's store.
func (s *storeServer) do(what string, f func() error) error {
	if !s.in.serving() {
		return errNotReady
	}
	err := s.in.guard(what, f)
	if err == nil {
		return nil
	}
	code := codes.Unavailable // the host tries again
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		code = codes.DeadlineExceeded
	case errors.Is(err, context.Canceled):
		code = codes.Canceled
	}
	return status.Error(code, clip(err.Error(), maxErrorText))
}

// Put serves Store.Put.
func (s *storeServer) Put(ctx context.Context, r *pluginpb.PutRequest) (*pluginpb.PutResponse, error) {
	entries, err := storeEntries(r.GetEntries())
	if err != nil {
		return nil, err
	}
	return &pluginpb.PutResponse{}, s.do("Put", func() error { return s.store.Put(ctx, entries) })
}

// Get serves Store.Get.
func (s *storeServer) Get(ctx context.Context, r *pluginpb.GetRequest) (*pluginpb.Entries, error) {
	size := 0
	for _, key := range r.GetKeys() {
		if len(key) == 0 || len(key) > MaxKey {
			return nil, status.Errorf(codes.InvalidArgument, "a key of %d bytes, 1 to %d are allowed", len(key), MaxKey)
		}
		size += len(key)
	}
	if len(r.GetKeys()) > MaxEntries || size > MaxBatch {
		return nil, status.Errorf(codes.InvalidArgument, "%d keys with %d bytes, at most %d with %d", len(r.GetKeys()), size, MaxEntries, MaxBatch)
	}
	var entries []Entry
	err := s.do("Get", func() (err error) { entries, err = s.store.Get(ctx, r.GetKeys()); return err })
	if err != nil {
		return nil, err
	}
	if len(entries) > len(r.GetKeys()) {
		return nil, status.Errorf(codes.Internal, "the store returned %d entries for %d keys", len(entries), len(r.GetKeys()))
	}
	out, n := wireEntries(entries)
	if n < len(entries) {
		return nil, status.Errorf(codes.ResourceExhausted, "the entries have more than %d bytes: ask for fewer keys", MaxBatch)
	}
	return out, nil
}

// Scan serves Store.Scan.
func (s *storeServer) Scan(ctx context.Context, r *pluginpb.ScanRequest) (*pluginpb.Entries, error) {
	limit := int(r.GetLimit())
	if limit < 1 || limit > MaxEntries {
		return nil, status.Errorf(codes.InvalidArgument, "limit is %d; it must be 1 to %d", r.GetLimit(), MaxEntries)
	}
	var entries []Entry
	err := s.do("Scan", func() (err error) { entries, err = s.store.Scan(ctx, r.GetPrefix(), r.GetAfter(), limit); return err })
	if err != nil {
		return nil, err
	}
	out, _ := wireEntries(entries[:min(len(entries), limit)]) // the host asks for what is cut off
	return out, nil
}

// Delete serves Store.Delete.
func (s *storeServer) Delete(ctx context.Context, r *pluginpb.DeleteRequest) (*pluginpb.DeleteResponse, error) {
	entries, err := storeEntries(r.GetEntries())
	if err != nil {
		return nil, err
	}
	return &pluginpb.DeleteResponse{}, s.do("Delete", func() error { return s.store.Delete(ctx, entries) })
}

// Watch serves Store.Watch.
func (s *storeServer) Watch(r *pluginpb.WatchRequest, stream grpc.ServerStreamingServer[pluginpb.Entries]) error {
	w, ok := s.store.(Watcher)
	if !ok {
		return status.Error(codes.Unimplemented, "the store does not watch")
	}
	if !s.in.serving() {
		return errNotReady
	}
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	defer context.AfterFunc(s.in.ctx, cancel)()
	var failed error
	err := s.do("Watch", func() error {
		return w.Watch(ctx, r.GetPrefix(), func(entries []Entry) {
			for len(entries) > 0 && failed == nil {
				out, n := wireEntries(entries)
				entries = entries[n:]
				if failed = stream.Send(out); failed != nil {
					cancel()
				}
			}
		})
	})
	if failed != nil {
		return failed
	}
	return err
}

func storeEntries(in []*pluginpb.Entry) ([]Entry, error) {
	size := 0
	out := make([]Entry, len(in))
	for i, e := range in {
		if len(e.GetKey()) == 0 || len(e.GetKey()) > MaxKey || len(e.GetValue()) > MaxValue {
			return nil, status.Errorf(codes.InvalidArgument, "a key of %d bytes with a value of %d, 1 to %d and at most %d are allowed",
				len(e.GetKey()), len(e.GetValue()), MaxKey, MaxValue)
		}
		size += len(e.GetKey()) + len(e.GetValue())
		out[i] = Entry{Key: e.GetKey(), Value: e.GetValue(), Version: e.GetVersion(), Expires: fromMillis(e.GetExpiresMs())}
	}
	if len(in) > MaxEntries || size > MaxBatch {
		return nil, status.Errorf(codes.InvalidArgument, "%d entries with %d bytes, at most %d with %d", len(in), size, MaxEntries, MaxBatch)
	}
	return out, nil
}

// wireEntries returns the first n entries as a batch: as many as its bounds allow, and one at least.
func wireEntries(entries []Entry) (out *pluginpb.Entries, n int) {
	out = &pluginpb.Entries{}
	size := 0
	for _, e := range entries {
		size += len(e.Key) + len(e.Value)
		if n == MaxEntries || n > 0 && size > MaxBatch {
			break
		}
		n++
		out.Entries = append(out.Entries, &pluginpb.Entry{Key: e.Key, Value: e.Value, Version: e.Version, ExpiresMs: millis(e.Expires)})
	}
	return out, n
}

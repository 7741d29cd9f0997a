package sdktest

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/discv5/host/sdk"
	"github.com/discv5/host/sdk/pluginpb"
)

// Store calls a store plugin. It is an sdk.Store and an sdk.Watcher.
type Store struct{ client pluginpb.StoreClient }

func toWire(entries []sdk.Entry) []*pluginpb.Entry {
	out := make([]*pluginpb.Entry, len(entries))
	for i, e := range entries {
		out[i] = &pluginpb.Entry{Key: e.Key, Value: e.Value, Version: e.Version}
		if !e.Expires.IsZero() {
			out[i].ExpiresMs = uint64(e.Expires.UnixMilli())
		}
	}
	return out
}

func fromWire(entries []*pluginpb.Entry) (out []sdk.Entry) {
	for _, e := range entries {
		entry := sdk.Entry{Key: e.GetKey(), Value: e.GetValue(), Version: e.GetVersion()}
		if ms := e.GetExpiresMs(); ms != 0 {
			entry.Expires = time.UnixMilli(int64(ms))
		}
		out = append(out, entry)
	}
	return out
}

// Put stores entries.
func (s *Store) Put(ctx context.Context, entries []sdk.Entry) error {
	_, err := s.client.Put(ctx, &pluginpb.PutRequest{Entries: toWire(entries)})
	return err
}

// Get returns the entries that exist.
func (s *Store) Get(ctx context.Context, keys [][]byte) ([]sdk.Entry, error) {
	m, err := s.client.Get(ctx, &pluginpb.GetRequest{Keys: keys})
	return fromWire(m.GetEntries()), err
}

// Scan returns entries in the order of their keys.
func (s *Store) Scan(ctx context.Context, prefix, after []byte, limit int) ([]sdk.Entry, error) {
	m, err := s.client.Scan(ctx, &pluginpb.ScanRequest{Prefix: prefix, After: after, Limit: uint32(limit)})
	return fromWire(m.GetEntries()), err
}

// Delete removes entries.
func (s *Store) Delete(ctx context.Context, entries []sdk.Entry) error {
	_, err := s.client.Delete(ctx, &pluginpb.DeleteRequest{Entries: toWire(entries)})
	return err
}

// Watch calls changed with what others change, until ctx ends.
func (s *Store) Watch(ctx context.Context, prefix []byte, changed func([]sdk.Entry)) error {
	stream, err := s.client.Watch(ctx, &pluginpb.WatchRequest{Prefix: prefix})
	if err != nil {
		return err
	}
	for {
		m, err := stream.Recv()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, io.EOF):
			return errors.New("the plugin ended the watch")
		case err != nil:
			return err
		}
		changed(fromWire(m.GetEntries()))
	}
}

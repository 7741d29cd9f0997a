package core

import (
	"context"
	"errors"
	"time"
)

// StoreOp is a method of a Store. Its String is the name in metrics.
type StoreOp byte

// The methods.
const (
	StorePut StoreOp = iota
	StoreGet
	StoreScan
	StoreDelete
	NumStoreOps
)

// String returns the method as it appears in metrics.
func (o StoreOp) String() string {
	return [...]string{"put", "get", "scan", "delete", "unknown"}[min(o, NumStoreOps)]
}

// StoreOpStats count the calls of one method of the store at their end.
type StoreOpStats struct {
	OK       uint64
	Timeouts uint64  // failed when their time was over
	Failures uint64  // failed otherwise
	Latency  Latency // of all
}

// timedStore counts the calls of a store.
type timedStore struct {
	n     *Node
	store Store
}

// timed returns a store whose calls are counted; nil for none.
func timed(n *Node, s Store) Store {
	if s == nil {
		return nil
	}
	return timedStore{n, s}
}

func (t timedStore) time(ctx context.Context, op StoreOp, f func() error) (err error) {
	err = errPanic // unless f returns
	begin := time.Now()
	defer func() {
		took := time.Since(begin)
		t.n.mu.Lock()
		defer t.n.mu.Unlock()
		s := &t.n.store.stats.Ops[op]
		s.Latency.observe(took)
		switch {
		case err == nil:
			s.OK++
		case errors.Is(ctx.Err(), context.DeadlineExceeded):
			s.Timeouts++
		default:
			s.Failures++
		}
	}()
	return f()
}

// Put implements Store.
func (t timedStore) Put(ctx context.Context, entries []Entry) error {
	return t.time(ctx, StorePut, func() error { return t.store.Put(ctx, entries) })
}

// Get implements Store.
func (t timedStore) Get(ctx context.Context, keys [][]byte) (found []Entry, err error) {
	err = t.time(ctx, StoreGet, func() (err error) { found, err = t.store.Get(ctx, keys); return err })
	return found, err
}

// Scan implements Store.
func (t timedStore) Scan(ctx context.Context, prefix, after []byte, limit int) (found []Entry, err error) {
	err = t.time(ctx, StoreScan, func() (err error) { found, err = t.store.Scan(ctx, prefix, after, limit); return err })
	return found, err
}

// Delete implements Store.
func (t timedStore) Delete(ctx context.Context, entries []Entry) error {
	return t.time(ctx, StoreDelete, func() error { return t.store.Delete(ctx, entries) })
}

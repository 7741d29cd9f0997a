package bolt

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/discv5/host/sdk"
)

// BenchmarkPut writes what a host does at a time: 256 records, half of them known.
func BenchmarkPut(b *testing.B) {
	s, _, err := open(options{path: filepath.Join(b.TempDir(), "store.db"), now: time.Now, warn: func(m string, _ ...any) { b.Log(m) }})
	if err != nil {
		b.Fatal(err)
	}
	defer s.close()
	version := uint64(0)
	for b.Loop() {
		version++
		batch := make([]sdk.Entry, 256)
		for i := range batch {
			batch[i] = sdk.Entry{
				Key: fmt.Appendf(nil, "node/%064d", (int(version)*128+i)%20_000), Value: make([]byte, 250), Version: version,
				Expires: time.Now().Add(time.Hour),
			}
		}
		if err := s.Put(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen opens and checks a file of 20,000 records.
func BenchmarkOpen(b *testing.B) {
	o := options{path: filepath.Join(b.TempDir(), "store.db"), now: time.Now, warn: func(m string, _ ...any) { b.Log(m) }}
	s, _, err := open(o)
	if err != nil {
		b.Fatal(err)
	}
	for i := 0; i < 20_000; i += 1000 {
		batch := make([]sdk.Entry, 1000)
		for j := range batch {
			batch[j] = sdk.Entry{
				Key: fmt.Appendf(nil, "node/%064d", i+j), Value: make([]byte, 250), Version: 1, Expires: time.Now().Add(time.Hour),
			}
		}
		if err := s.Put(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if err := s.close(); err != nil {
			b.Fatal(err)
		}
		if s, _, err = open(o); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.close(); err != nil {
		b.Fatal(err)
	}
}

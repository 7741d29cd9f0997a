//go:build unix

package core

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A disk that hangs does not keep Close from returning.
func TestCloseBesideADiskThatHangs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "record")
	n := listen(t, func(c *Config) { c.RecordFile = file })
	pipe := file + ".new" // where the next record is written first: nobody reads, so the write never begins
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := n.SetFields(ctx, "a", map[string]any{"k": []byte{1}}); err != context.DeadlineExceeded {
		t.Errorf("change that cannot be saved: %v", err)
	}
	start := time.Now()
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("close took %v", took)
	}
	f, err := os.Open(pipe) // sets the writer free
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.Copy(io.Discard, f); err != nil {
		t.Error(err)
	}
	<-n.guests[0].done
}

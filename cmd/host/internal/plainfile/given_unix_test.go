//go:build unix

package plainfile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestGiven(t *testing.T) {
	for path, want := range map[string]bool{
		"/dev/stdin": true, "/dev/fd/0": true, "/dev/fd/63": true, "/proc/self/fd/3": true, "/dev//fd/3": true,
		"/dev/fd/": false, "/dev/fd": false, "/dev/fd/x": false, "/dev/fd/3/x": false, "dev/stdin": false, "/dev/stdout": false, "": false, "3": false,
	} {
		if Given(path) != want {
			t.Errorf("Given(%q) is %v", path, !want)
		}
	}
}

// pipe is a pipe and the path of its reading end.
func pipe(t *testing.T) (path string, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return fmt.Sprintf("/dev/fd/%d", r.Fd()), w
}

func TestReadGiven(t *testing.T) {
	path, w := pipe(t)
	go func(w *os.File) { // in two parts: the reader waits for the end
		fmt.Fprint(w, "123")
		fmt.Fprint(w, "45")
		w.Close()
	}(w)
	data, mode, err := ReadGiven(t.Context(), path, 5)
	if err != nil || string(data) != "12345" || mode.IsRegular() {
		t.Errorf("a pipe: %q, %v, %v", data, mode, err)
	}

	path, w = pipe(t)
	if _, err := w.WriteString("123456"); err != nil { // and it stays open
		t.Fatal(err)
	}
	if _, _, err := ReadGiven(t.Context(), path, 5); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a pipe with more than the limit: %v", err)
	}

	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, mode, err := ReadGiven(t.Context(), file, 5); err != nil || string(data) != "12345" || mode != 0o600 {
		t.Errorf("a file: %q, %v, %v", data, mode, err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if data, _, err := ReadGiven(t.Context(), fmt.Sprintf("/dev/fd/%d", f.Fd()), 5); err != nil || string(data) != "12345" {
		t.Errorf("the descriptor of a file: %q, %v", data, err)
	}
	named := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(named, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ReadGiven(t.Context(), named, 5); !errors.Is(err, ErrNotRegular) {
		t.Errorf("a named pipe: %v", err)
	}
	if _, _, err := ReadGiven(t.Context(), "/dev/fd/9999", 5); err == nil {
		t.Error("a descriptor that is not there was read")
	}
}

// Nobody waits longer than the context lives.
func TestReadGivenEnds(t *testing.T) {
	path, _ := pipe(t)
	ctx, cancel := context.WithCancel(t.Context())
	go cancel()
	if _, _, err := ReadGiven(ctx, path, 5); !errors.Is(err, context.Canceled) {
		t.Errorf("a pipe that nobody writes to: %v", err)
	}
}

package lockfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/discv5/host/cmd/host/internal/hint"
)

func TestOneHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := Acquire(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Acquire(path)
	if !errors.Is(err, ErrHeld) || hint.Of(err) == "" {
		t.Fatalf("a second lock gave %v, hint %q", err, hint.Of(err))
	}
	if want := fmt.Sprintf("process %d", os.Getpid()); !strings.Contains(err.Error(), want) {
		t.Errorf("error %q does not name %s", err, want)
	}
	if err := first.Release(); err != nil {
		t.Fatal(err)
	}
	second, err := Acquire(path)
	if err != nil {
		t.Fatalf("a released lock is still held: %v", err)
	}
	if err := second.Release(); err != nil {
		t.Error(err)
	}
}

// What a dead host left behind locks nothing, whatever it says.
func TestStaleFile(t *testing.T) {
	for _, text := range []string{"", "1\n", "4294967295\n", "not a number", strings.Repeat("9", 1000)} {
		path := filepath.Join(t.TempDir(), "lock")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := Acquire(path)
		if err != nil {
			t.Errorf("a file that says %.20q: %v", text, err)
			continue
		}
		if _, err := Acquire(path); !errors.Is(err, ErrHeld) || !strings.HasSuffix(err.Error(), fmt.Sprintf(", process %d", os.Getpid())) {
			t.Errorf("a file that said %.20q: the second error is %v", text, err)
		}
		if err := l.Release(); err != nil {
			t.Error(err)
		}
	}
}

// An owner that is no number is not repeated.
func TestOwnerIsNotTrusted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	l, err := Acquire(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Release()
	if err := os.WriteFile(path, []byte("\x1b[31mroot"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Acquire(path); !errors.Is(err, ErrHeld) || strings.ContainsAny(err.Error(), "\x1b") || strings.Contains(err.Error(), "process") {
		t.Errorf("the error repeats the file: %q", err)
	}
}

func TestNoFolder(t *testing.T) {
	_, err := Acquire(filepath.Join(t.TempDir(), "absent", "lock"))
	if !errors.Is(err, os.ErrNotExist) || hint.Of(err) == "" {
		t.Errorf("a lock in a folder that is missing: %v, hint %q", err, hint.Of(err))
	}
}

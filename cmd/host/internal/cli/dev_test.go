package cli

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// What host dev says to try works where it is run.
func TestCalledAs(t *testing.T) {
	name := "host"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	program := func(folder string) string {
		path := filepath.Join(base, filepath.FromSlash(folder), name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	installed, other := program("bin"), program("other")
	t.Setenv("PATH", filepath.Dir(installed))
	for called, want := range map[string]string{
		"host": "host", installed: "host", other: other,
		program("go-build123/b001/exe"):                        "go run ./cmd/host",
		program("cache/ab/" + strings.Repeat("a1", 32) + "-d"): "go run ./cmd/host",
	} {
		if got := calledAs(called); got != want {
			t.Errorf("called as %s: %s, want %s", called, got, want)
		}
	}
	t.Chdir(base)
	if got := calledAs(filepath.Join(".", "other", name)); got != other {
		t.Errorf("called by a relative path: %s, want %s", got, other)
	}
}

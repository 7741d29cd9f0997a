package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestRemove(t *testing.T) {
	root := t.TempDir()
	outside := filepath.Join(root, "outside")
	fill := func(parts ...string) string {
		dir := filepath.Join(append([]string{root, "dir"}, parts...)...)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for i := range 300 {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	if err := os.MkdirAll(filepath.Join(outside, "stays"), 0o700); err != nil {
		t.Fatal(err)
	}
	dir := fill()
	closed := []string{fill("a", "b"), fill("a"), dir}
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, d := range closed {
		if err := os.Chmod(d, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := remove(dir, time.Now().Add(-time.Second)); !errors.Is(err, errFull) {
		t.Errorf("removal without time: %v", err)
	}
	if err := remove(dir, time.Now().Add(10*time.Second)); err != nil {
		t.Error(err)
	}
	if err := remove(dir, time.Now().Add(time.Second)); err != nil {
		t.Errorf("removal of nothing: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(root, "*")); len(left) != 1 {
		t.Errorf("left: %q", left)
	}
	if _, err := os.Stat(filepath.Join(outside, "stays")); err != nil {
		t.Error(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, strings.Repeat("d/", maxDepth+1)), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := remove(dir, time.Now().Add(time.Second)); !errors.Is(err, errDeep) {
		t.Errorf("removal of a deep directory: %v", err)
	}
}

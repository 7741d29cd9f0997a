//go:build unix

package shelter

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// A data folder has one shelter, by whatever way it is reached.
func TestOf(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	data := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(data, link); err != nil {
		t.Fatal(err)
	}
	t.Chdir(data)
	if Of(link) != Of(data) || Of(".") != Of(data) {
		t.Errorf("%s, by a link %s, from within %s", Of(data), Of(link), Of("."))
	}
	if Of(filepath.Join(data, "x")) == Of(data) || filepath.Dir(Of(data)) != filepath.Clean(os.TempDir()) {
		t.Errorf("%s and %s", Of(data), Of(filepath.Join(data, "x")))
	}
}

func TestMakeAndCheck(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	data := t.TempDir()
	if err := Check(data); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before it is there: %v", err)
	}
	for range 2 {
		if dir, err := Make(data); err != nil || dir != Of(data) || Check(data) != nil {
			t.Errorf("%s %v, checked: %v", dir, err, Check(data))
		}
	}
	wrong := func(what string) {
		t.Helper()
		if _, err := Make(data); err == nil {
			t.Errorf("%s is taken", what)
		}
		if Check(data) == nil {
			t.Errorf("%s is trusted", what)
		}
	}
	if err := os.Chmod(Of(data), 0o710); err != nil {
		t.Fatal(err)
	}
	wrong("a folder that others may use")
	if err := os.Remove(Of(data)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(t.TempDir(), Of(data)); err != nil {
		t.Fatal(err)
	}
	wrong("a symbolic link")
	if err := os.Remove(Of(data)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(Of(data), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wrong("a file")
}

// The owner of a folder decides: strangers are trusted by nobody, the owner of the data folder and root by those who connect.
func TestOwners(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	me := self()
	if err := check(dir, me); err != nil {
		t.Error(err)
	}
	if err := check(dir, me+1, me+2); err == nil {
		t.Error("a folder of somebody else is trusted")
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can give a folder away")
	}
	t.Setenv("TMPDIR", t.TempDir())
	data := t.TempDir()
	if err := os.Chown(data, 4321, 4321); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(Of(data), 0o700); err != nil {
		t.Fatal(err)
	}
	for owner, trusted := range map[int]bool{0: true, 4321: true, 1234: false} {
		if err := os.Chown(Of(data), owner, owner); err != nil {
			t.Fatal(err)
		}
		if err := Check(data); (err == nil) != trusted {
			t.Errorf("a folder of user %d: %v", owner, err)
		}
	}
	if _, err := Make(data); err == nil {
		t.Error("a host takes the folder of somebody else")
	}
}

package plainfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err := Read(path, 5); err != nil || string(data) != "12345" {
		t.Errorf("a file of the limit's size: %q, %v", data, err)
	}
	if _, err := Read(path, 4); !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), path) {
		t.Errorf("a file above the limit: %v", err)
	}
	if _, err := Read(path+"x", 4); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is missing: %v", err)
	}
	if _, err := Read(filepath.Dir(path), 4); !errors.Is(err, ErrNotRegular) || !strings.Contains(err.Error(), "a folder") {
		t.Errorf("a folder: %v", err)
	}
	link := path + ".link"
	if err := os.Symlink(path, link); err != nil {
		t.Logf("no symbolic links here: %v", err)
		return
	}
	if data, err := Read(link, 5); err != nil || string(data) != "12345" {
		t.Errorf("through a link: %q, %v", data, err)
	}
}

func TestBeside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	var names []string
	for range 2 {
		f, err := Beside(path, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		names = append(names, f.Name())
		if !strings.HasPrefix(f.Name(), path+".") || !strings.HasSuffix(f.Name(), PartSuffix) {
			t.Errorf("%s", f.Name())
		}
	}
	if names[0] == names[1] {
		t.Error("two files have one name")
	}
	none := filepath.Join(t.TempDir(), "none", "a")
	if _, err := Beside(none, 0o600); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), none+": ") {
		t.Errorf("in a folder that is not there: %v", err)
	}
}

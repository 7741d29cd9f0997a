package keyfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/discv5/host/cmd/host/internal/hint"
)

const goodKey = "eef77acb6c6a6eebc5b363a475ac583ec7eccdb42b6481424c60f59aa326547f"

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoad(t *testing.T) {
	for _, text := range []string{goodKey, goodKey + "\n", "0x" + goodKey + "\n", " " + strings.ToUpper(goodKey) + "\r\n"} {
		key, err := Load(t.Context(), write(t, text))
		if err != nil {
			t.Errorf("Load(%d bytes): %v", len(text), err)
			continue
		}
		if got := string(Format(key)); got != goodKey+"\n" {
			t.Errorf("the key changed on its way through the file")
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"empty":            "",
		"blank":            " \n",
		"short":            goodKey[:63],
		"long":             goodKey + "00",
		"not hex":          strings.Replace(goodKey, "6a6e", "6x6e", 1),
		"zero":             strings.Repeat("00", 32),
		"above the order":  strings.Repeat("ff", 32),
		"some other file":  strings.Repeat("text ", 1000),
		"two keys":         goodKey + "\n" + goodKey,
		"prefix, no value": "0x",
	} {
		_, err := Load(t.Context(), write(t, text))
		if err == nil {
			t.Errorf("%s: loaded", name)
			continue
		}
		if hint.Of(err) == "" {
			t.Errorf("%s: no hint", name)
		}
		if strings.Contains(err.Error(), goodKey[:6]) || strings.Contains(err.Error(), "6x6e") {
			t.Errorf("%s: the error shows a part of the key", name)
		}
	}
	if _, err := Load(t.Context(), t.TempDir()); err == nil {
		t.Error("a folder was loaded as a key")
	}
	_, err := Load(t.Context(), filepath.Join(t.TempDir(), "absent"))
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(hint.Of(err), "host key new") {
		t.Errorf("missing file: %v (hint %q)", err, hint.Of(err))
	}
}

func TestLoadRefusesOpenModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("skipped: file modes do not say who may read on Windows")
	}
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o660, 0o644, 0o666} {
		path := write(t, goodKey)
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := Load(t.Context(), path)
		if err == nil || hint.Of(err) != "chmod 600 "+path {
			t.Errorf("mode %04o: %v (hint %q)", mode, err, hint.Of(err))
		}
	}
}

// The mode of a file that is no key is not spoken of: the advice would harm the file.
func TestModeOfAnotherFile(t *testing.T) {
	path := write(t, "root:x:0:0:root:/root:/bin/sh\n")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Load(t.Context(), path)
	if err == nil || !strings.Contains(err.Error(), "want 64 hex digits") || strings.Contains(hint.Of(err), "chmod") {
		t.Errorf("%v (hint %q)", err, hint.Of(err))
	}
}

func TestCreate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "key")
	key, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %04o, want 0600", info.Mode().Perm())
	}
	again, err := Load(t.Context(), path)
	if err != nil || !again.Equal(key) {
		t.Errorf("Load after Create: same key %v, %v", err == nil && again.Equal(key), err)
	}
	if _, err := Create(path); !errors.Is(err, fs.ErrExist) || hint.Of(err) == "" {
		t.Errorf("Create over an existing key: %v", err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("%d files in the folder, want the key alone (%v)", len(left), err)
	}
}

func TestCreateWhereNothingCanBeMade(t *testing.T) {
	file := write(t, goodKey)
	if _, err := Create(filepath.Join(file, "key")); err == nil || hint.Of(err) == "" {
		t.Errorf("Create below a file: %v", err)
	}
}

// All processes that start together must end up with one identity.
func TestLoadOrCreateTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	const starters = 8
	var wg sync.WaitGroup
	keys := make([]string, starters)
	made := make([]bool, starters)
	for i := range starters {
		wg.Go(func() {
			key, created, err := LoadOrCreate(t.Context(), path)
			if err != nil {
				t.Error(err)
				return
			}
			keys[i], made[i] = string(Format(key)), created
		})
	}
	wg.Wait()
	makers := 0
	for i := range starters {
		if keys[i] != keys[0] {
			t.Errorf("starter %d has another key", i)
		}
		if made[i] {
			makers++
		}
	}
	if makers != 1 {
		t.Errorf("%d starters say they made the key, want 1", makers)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(goodKey))
	f.Add([]byte("0x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		key, err := parse(data)
		if (key == nil) == (err == nil) {
			t.Fatalf("key %v with error %v", key != nil, err)
		}
	})
}

package scaffold

import (
	"bytes"
	"errors"
	"go/format"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/discv5/host/sdk/sdktest"
)

const checkout = "../../../.."

// run runs a command in a folder.
func run(t *testing.T, dir string, env []string, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, said)
	}
}

// A new Go plugin builds, passes its tests, and keeps its contract as a program, without a network.
func TestGo(t *testing.T) {
	for _, kind := range Kinds {
		t.Run(kind, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "deep", "er")
			if err := New(kind, "my-"+kind, "go", dir, checkout); err != nil {
				t.Fatal(err)
			}
			offline := []string{"GOPROXY=off", "GOFLAGS=", "GOWORK=off"}
			before, err := os.ReadFile(filepath.Join(dir, "go.mod"))
			if err != nil {
				t.Fatal(err)
			}
			run(t, dir, offline, "go", "vet", ".")
			run(t, dir, offline, "go", "test", ".")
			run(t, dir, offline, "go", "build", "-o", "my-"+kind, ".")
			if after, _ := os.ReadFile(filepath.Join(dir, "go.mod")); !bytes.Equal(before, after) {
				t.Errorf("go.mod was not complete:\n%s", after)
			}
			if t.Failed() {
				return
			}
			r := sdktest.Run(t.Output(), sdktest.Source{Path: filepath.Join(dir, "my-"+kind)})
			if r.Failed != 0 || r.Kind != kind {
				t.Errorf("%d of %d checks of a %q failed", r.Failed, len(r.Checks), r.Kind)
			}
			for name, content := range read(t, dir, ".go") {
				if formatted, err := format.Source(content); err != nil || !bytes.Equal(formatted, content) {
					t.Errorf("%s is not formatted by gofmt (%v)", name, err)
				}
			}
		})
	}
}

func TestPython(t *testing.T) {
	python := os.Getenv("PYTHON")
	if python == "" {
		python = "python3"
	}
	path, err := exec.LookPath(python)
	if err != nil {
		t.Skipf("there is no %s here; PYTHON may name an interpreter", python)
	}
	if said, err := exec.Command(path, "-c", "import grpc, google.protobuf").CombinedOutput(); err != nil {
		t.Skipf("%s has no grpcio or protobuf; PYTHON may name another interpreter: %s", path, bytes.TrimSpace(said))
	}
	for _, kind := range Kinds {
		t.Run(kind, func(t *testing.T) {
			dir := t.TempDir()
			if err := New(kind, "my-"+kind, "python", dir, ""); err != nil {
				t.Fatal(err)
			}
			run(t, dir, nil, path, "-m", "unittest")
			script := filepath.Join(dir, "plugin.py")
			r := sdktest.Run(t.Output(), sdktest.Source{Path: path, Args: []string{script}})
			if r.Failed != 0 || r.Kind != kind {
				t.Errorf("%d of %d checks of a %q failed", r.Failed, len(r.Checks), r.Kind)
			}
			if info, err := os.Stat(script); err != nil || info.Mode()&0o100 == 0 {
				t.Errorf("%s cannot be executed (%v)", script, err)
			}
		})
	}
}

// What Python plugins have in common is the same as in the example.
func TestSharedPython(t *testing.T) {
	shared := read(t, "templates/python/shared", "")
	example := read(t, checkout+"/examples/plugins/echo-python", "")
	for name, content := range shared {
		if !bytes.Equal(content, example[name]) {
			t.Errorf("%s differs from that of examples/plugins/echo-python: copy it", name)
		}
	}
	for name := range example {
		if strings.HasPrefix(name, "discv5") && shared[name] == nil {
			t.Errorf("%s is in examples/plugins/echo-python only", name)
		}
	}
}

// read returns the files in a folder, by their names, that have an ending.
func read(t *testing.T, dir, ending string) map[string][]byte {
	t.Helper()
	files := make(map[string][]byte)
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(name, ending) || strings.Contains(name, "__pycache__") {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		files[filepath.ToSlash(rel)], err = os.ReadFile(name)
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", dir, len(files), err)
	}
	return files
}

func TestOverwritesNothing(t *testing.T) {
	dir := t.TempDir()
	mine := filepath.Join(dir, "main.go")
	if err := os.WriteFile(mine, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, lang := range Langs {
		if err := New("talk", "x", lang, dir, ""); !errors.Is(err, ErrExists) {
			t.Errorf("%s: %v", lang, err)
		}
	}
	if err := New("talk", "x", "go", mine, ""); !errors.Is(err, ErrExists) || !strings.Contains(err.Error(), "is a file") {
		t.Errorf("a plugin in place of a file: %v", err)
	}
	files, err := os.ReadDir(dir)
	if content, _ := os.ReadFile(mine); err != nil || len(files) != 1 || string(content) != "mine" {
		t.Errorf("the folder has %v", files)
	}
}

func TestWithoutCheckout(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "x")
	if err := New("filter", "x", "go", dir, ""); err != nil {
		t.Fatal(err)
	}
	files := read(t, dir, "")
	if mod := string(files["go.mod"]); !strings.Contains(mod, "require github.com/discv5/host ") || strings.Contains(mod, "replace") {
		t.Errorf("go.mod is\n%s", mod)
	}
	if !strings.Contains(string(files["README.md"]), "go mod tidy") {
		t.Errorf("README.md does not say go mod tidy:\n%s", files["README.md"])
	}
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	if want := []string{"README.md", "go.mod", "main.go", "main_test.go"}; !slices.Equal(names, want) {
		t.Errorf("there are %q, not %q", names, want)
	}
}

// Only what was taken from a module proxy has a version that others find there.
func TestVersionOfThisProgram(t *testing.T) {
	for _, c := range []struct {
		m    debug.Module
		want string
	}{
		{debug.Module{Path: hostModule, Version: "v1.2.3", Sum: "h1:x"}, "v1.2.3"},
		{debug.Module{Path: hostModule, Version: "v0.0.0-20260102030405-0123456789ab", Sum: "h1:x"}, "v0.0.0-20260102030405-0123456789ab"},
		{debug.Module{Path: hostModule, Version: "v0.0.0-20260102030405-0123456789ab"}, latest},
		{debug.Module{Path: hostModule, Version: "v1.2.4-0.20260102030405-0123456789ab+dirty"}, latest},
		{debug.Module{Path: hostModule, Version: "(devel)"}, latest},
		{debug.Module{Path: "example.com/other", Version: "v1.2.3", Sum: "h1:x"}, latest},
	} {
		if got := versionOf(&c.m); got != c.want {
			t.Errorf("%+v: %s, want %s", c.m, got, c.want)
		}
	}
	if Released() {
		t.Error("a test is released")
	}
}

func TestRefused(t *testing.T) {
	for _, test := range []struct{ kind, name, lang, replace, says string }{
		{"talc", "x", "go", "", "talk, filter, store"},
		{"talk", "x", "rust", "", "go, python"},
		{"talk", "", "go", "", "name"},
		{"talk", "X", "go", "", "name"},
		{"talk", "../x", "go", "", "name"},
		{"talk", "-x", "go", "", "name"},
		{"talk", strings.Repeat("x", 33), "go", "", "name"},
		{"talk", "x", "go", "templates", "no checkout"},
		{"talk", "x", "python", checkout, "checkout"},
	} {
		dir := filepath.Join(t.TempDir(), "new")
		err := New(test.kind, test.name, test.lang, dir, test.replace)
		if err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%+v: %v", test, err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%+v: the folder was made", test)
		}
	}
}

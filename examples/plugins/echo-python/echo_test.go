package echopython

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/discv5/host/sdk/sdktest"
)

// source is the plugin, run by the interpreter that PYTHON names, or python3. Without one that has grpc the test is skipped.
func source(t *testing.T) sdktest.Source {
	t.Helper()
	python := os.Getenv("PYTHON")
	if python == "" {
		python = "python3"
	}
	path, err := exec.LookPath(python)
	if err != nil {
		t.Skipf("there is no %s here; PYTHON may name an interpreter", python)
	}
	if said, err := exec.Command(path, "-c", "import grpc, google.protobuf").CombinedOutput(); err != nil {
		t.Skipf("%s has no grpcio or protobuf (requirements.txt); PYTHON may name another interpreter: %s", path, bytes.TrimSpace(said))
	}
	script, err := filepath.Abs("echo.py")
	if err != nil {
		t.Fatal(err)
	}
	return sdktest.Source{
		Path: path, Args: []string{script}, Env: []string{"PATH=" + os.Getenv("PATH"), "PYTHONDONTWRITEBYTECODE=1"},
	}
}

func TestEcho(t *testing.T) {
	s := source(t)
	p := sdktest.Exec(t, s.Path, sdktest.Args(s.Args...), sdktest.Env(s.Env...), sdktest.Config(map[string]any{"prefix": "you said "}))
	if got, err := p.Talk("echo", []byte("hello")); err != nil || string(got) != "you said hello" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestConformance(t *testing.T) { sdktest.Conformance(t, source(t)) }

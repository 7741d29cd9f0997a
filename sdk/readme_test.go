package sdk

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestREADME builds every Go file of README.md in a module of its own, as its reader does, and runs the tests among them.
func TestREADME(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	repo, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	programs := 0
	for _, block := range strings.Split(string(text), "\n```go\n")[1:] {
		code, _, closed := strings.Cut(block, "\n```")
		if !closed {
			t.Fatal("a block of Go has no end")
		}
		name := "main.go"
		if strings.Contains(code, `"testing"`) { // of the program before it
			name = "main_test.go"
		} else {
			programs++
		}
		write(filepath.Join("p"+string(rune('0'+programs)), name), code+"\n")
	}
	if programs < 4 {
		t.Errorf("%d programs in README.md", programs)
	}

	// The versions of this module are those that its reader gets with it.
	mod, err := os.ReadFile(filepath.Join(repo, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	sum, err := os.ReadFile(filepath.Join(repo, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	_, requirements, _ := strings.Cut(string(mod), "\n")
	write("go.mod", "module example.com/plugins\n"+requirements+
		"\nrequire github.com/discv5/host v0.0.0\nreplace github.com/discv5/host => "+repo+"\n")
	write("go.sum", string(sum))
	for _, args := range [][]string{{"vet", "./..."}, {"test", "./p1"}} {
		cmd := exec.Command("go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off", "GOPROXY=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

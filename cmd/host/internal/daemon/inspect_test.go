package daemon

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/discv5/host/cmd/host/internal/config"
)

// loadText loads a configuration that stands in a file.
func loadText(t *testing.T, text string) *config.Loaded {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.hcl")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	loaded, err := config.Load(t.Context(), config.Sources{Env: []string{"HOST_CONFIG=" + file}})
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// Without a folder for sockets nothing is started, and what can be told is told, of plugins that are not enabled too.
func TestInspectWithoutStarting(t *testing.T) {
	loaded := loadText(t, `
run_dir = "/`+strings.Repeat("r", maxRunDir)+`"
plugin "talk" "a" {
  source = "builtin:echo"
}
plugin "talk" "b" {
  source  = "builtin:ecko"
  enabled = false
}
plugin "talk" "c" {
  source  = "absent"
  enabled = false
}
plugin "talk" "d" {
  source  = "absent"
}
`)
	found, problems, err := Inspect(t.Context(), loaded, "")
	if err != nil || len(found) != 2 || found[0].About != nil {
		t.Fatalf("%+v, %v", found, err)
	}
	var what []string
	for _, p := range problems {
		what = append(what, p.What)
		if p.Hint == "" || p.Source == "" {
			t.Errorf("%+v", p)
		}
	}
	if len(what) != 3 || !strings.HasPrefix(what[0], "run_dir: the path has 61 bytes") || !strings.HasPrefix(what[1], `there is no bundled plugin "ecko"`) ||
		!strings.HasPrefix(what[2], "there is no program at ") {
		t.Errorf("%q", what)
	}
}

// The end of the context ends it, before a plugin has had its time.
func TestInspectEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := Inspect(ctx, loadText(t, "plugin \"talk\" \"a\" {\n  source = \"builtin:echo\"\n}\n"), t.TempDir())
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

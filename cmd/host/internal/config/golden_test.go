package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

// shown is how problems look to an operator, without the folder of the file.
func shown(ps Problems, dir string) string {
	var b strings.Builder
	for _, p := range ps {
		b.WriteString(p.Error() + "\n")
		if p.Source != "" {
			b.WriteString(p.Source + "\n")
		}
		b.WriteString("hint: " + p.Hint + "\n\n")
	}
	return strings.ReplaceAll(b.String(), dir+string(filepath.Separator), "")
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	file = strings.TrimSuffix(file, ".hcl") + ".golden"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != strings.ReplaceAll(string(want), "\r\n", "\n") {
		t.Errorf("%s differs (go test -update writes it); got\n%s", file, got)
	}
}

// Every mistake of a file is told at once, with its place, the line and advice.
func TestGoldenMistakes(t *testing.T) {
	files, err := filepath.Glob("testdata/mistakes/*.hcl")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			if runtime.GOOS == "windows" && strings.Contains(file, "functions") {
				t.Skip("skipped: Windows has other words for a missing file")
			}
			_, err := Load(t.Context(), Sources{Env: []string{"HOST_CONFIG=" + file, "SET=1", "EMPTY="}})
			ps, ok := errors.AsType[Problems](err)
			if !ok {
				t.Fatalf("%v, want problems", err)
			}
			for _, p := range ps {
				if p.Hint == "" || strings.ContainsAny(p.Source, "\x1b\x07\u202e") {
					t.Errorf("%+q", p)
				}
			}
			golden(t, file, shown(ps, filepath.Dir(file)))
		})
	}
}

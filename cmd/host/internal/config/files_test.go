package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/spf13/pflag"
)

// folder writes files, whose names may have folders.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// loadPaths loads what --config was given.
func loadPaths(t *testing.T, dir string, names ...string) (*Loaded, error) {
	t.Helper()
	fs := pflag.NewFlagSet("host", pflag.ContinueOnError)
	Flags(fs)
	for _, name := range names {
		if err := fs.Set("config", filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			t.Fatal(err)
		}
	}
	return Load(t.Context(), Sources{Flags: fs})
}

func echo(name string) string {
	return "plugin \"talk\" \"" + name + "\" {\n  source = \"bin/echo\"\n}\n"
}

func TestSeveralFiles(t *testing.T) {
	dir := folder(t, map[string]string{
		"first.hcl":     "nat = \"upnp\"\ndata_dir = \"state\"\ntable {\n  ipv4_prefix = 30\n  ipv6_prefix = 60\n}\n" + echo("a"),
		"sub/last.conf": "nat = \"pmp\"\nkey_file = \"key\"\ntable {\n  ipv4_prefix = 31\n}\n" + echo("b"),
	})
	got, err := loadPaths(t, dir, "first.hcl", "sub/last.conf")
	if err != nil {
		t.Fatal(err)
	}
	c := got.Config
	if c.NAT != "pmp" || c.Table.IPv4Prefix != 31 || c.Table.IPv6Prefix != 60 {
		t.Errorf("nat %q table %+v, want single keys of the later file above the earlier", c.NAT, c.Table)
	}
	if c.DataDir != filepath.Join(dir, "state") || c.KeyFile != filepath.Join(dir, "sub", "key") || got.Plugins[1].Source != filepath.Join(dir, "sub", "bin", "echo") {
		t.Errorf("paths %q %q %q start at their own file", c.DataDir, c.KeyFile, got.Plugins[1].Source)
	}
	if len(got.Plugins) != 2 || got.Plugins[0].Name != "a" || got.Plugins[1].Where("") != filepath.Join(dir, "sub", "last.conf")+":6:1" {
		t.Errorf("plugins %+v", got.Plugins)
	}
	if want := []string{filepath.Join(dir, "first.hcl"), filepath.Join(dir, "sub", "last.conf")}; !slices.Equal(got.Files, want) {
		t.Errorf("files %q, want %q", got.Files, want)
	}
	if where := got.Origins["nat"].Where; where != got.Files[1]+":1:1" {
		t.Errorf("nat comes from %s", where)
	}
}

func TestFolder(t *testing.T) {
	dir := folder(t, map[string]string{
		"conf/20-b.hcl": "nat = \"upnp\"\ntable {\n  ipv4_prefix = 30\n}\n", "conf/10-a.hcl": "log_level = \"warn\"\ntable {\n  ipv6_prefix = 60\n}\n",
		"conf/.hidden.hcl": "!", "conf/#edited.hcl": "!", "conf/~10-a.hcl": "!", "conf/10-a.hcl~": "!", "conf/10-a.hcl.bak": "!", "conf/README": "!", "conf/deep.hcl/c.hcl": "!",
		"last.hcl": "log_level = \"error\"\n",
	})
	got, err := loadPaths(t, dir, "conf", "last.hcl")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{filepath.Join(dir, "conf", "10-a.hcl"), filepath.Join(dir, "conf", "20-b.hcl"), filepath.Join(dir, "last.hcl")}; !slices.Equal(got.Files, want) {
		t.Errorf("files %q, want %q", got.Files, want)
	}
	if c := got.Config; c.NAT != "upnp" || c.LogLevel != "error" || c.Table.IPv4Prefix != 30 || c.Table.IPv6Prefix != 60 {
		t.Errorf("%+v", c)
	}
	list := filepath.Join(dir, "last.hcl") + string(os.PathListSeparator) + string(os.PathListSeparator) + filepath.Join(dir, "conf")
	got, err = Load(t.Context(), Sources{Env: []string{"HOST_CONFIG=" + list}})
	if err != nil || got.Config.LogLevel != "warn" || len(got.Files) != 3 {
		t.Errorf("HOST_CONFIG=%s: %+v, %v", list, got, err)
	}
}

func TestFileMistakes(t *testing.T) {
	dir := folder(t, map[string]string{
		"same/a.hcl": "nat = \"upnp\"\nlog_level = \"info\"\n", "same/b.hcl": "\nnat = \"pmp\"\n", "same/c.hcl": "nat = \"any\"\nlog_level = \"warn\"\n",
		"empty/.a.hcl": "", "a.hcl": echo("a") + echo("b"), "b.hcl": "\n" + echo("a"),
		"store1.hcl": "plugin \"store\" \"a\" {\n  source = \"builtin:bolt\"\n}\n", "store2.hcl": "plugin \"store\" \"b\" {\n  source = \"builtin:bolt\"\n  lost = 1\n}\n",
		"many1.hcl": many("a", 40), "many2.hcl": many("b", 40),
	})
	in := func(name, rest string) string { return filepath.Join(dir, filepath.FromSlash(name)) + rest }
	for _, c := range []struct {
		paths  []string
		want   []string // of each problem
		advice string
	}{
		{[]string{"same"}, []string{
			in("same/b.hcl", ":2:1: nat is in two files of the folder "+filepath.Join(dir, "same")), in("same/c.hcl", ":1:1: nat is in"), in("same/c.hcl", ":2:1: log_level is in"),
		}, "the other one is at " + in("same/a.hcl", ":1:1")},
		{[]string{"a.hcl", "b.hcl"}, []string{in("b.hcl", `:2:1: plugin "talk" "a" appears twice`)}, "the first one is at " + in("a.hcl", ":1:1")},
		{[]string{"a.hcl", "a.hcl"}, []string{"flag --config: " + in("a.hcl", " is given twice")}, "leave one out"},
		{[]string{"same/a.hcl", "same"}, []string{"flag --config: " + in("same/a.hcl", " is given twice")}, "all files in it"},
		{[]string{"store1.hcl", "store2.hcl"}, []string{in("store2.hcl", `:1:1: store "b" is a second enabled store`), in("store2.hcl", `:3:3: unknown key "lost"`)}, in("store1.hcl", ":1:1")},
		{[]string{"many1.hcl", "many2.hcl"}, []string{in("many2.hcl", ":73:1: more than 64 plugins")}, "leave some out"},
	} {
		_, err := loadPaths(t, dir, c.paths...)
		ps, ok := errors.AsType[Problems](err)
		if !ok || len(ps) != len(c.want) || !strings.Contains(ps[0].Hint, c.advice) {
			t.Errorf("%q: %v, %+v", c.paths, err, ps)
			continue
		}
		for i, p := range ps {
			if !strings.HasPrefix(p.Error(), c.want[i]) || strings.HasPrefix(c.want[i], dir) != (p.Source != "") {
				t.Errorf("%q: %+v, want %q", c.paths, p, c.want[i])
			}
		}
	}
	for path, want := range map[string]string{"empty": "has no file *.hcl", "absent.hcl": "no such file"} {
		if _, err := loadPaths(t, dir, "a.hcl", path); err == nil || (!strings.Contains(err.Error(), want) && runtime.GOOS != "windows") || hint.Of(err) == "" {
			t.Errorf("%s: %v (hint %q), want %q", path, err, hint.Of(err), want)
		}
	}
	if _, err := load(t, "", nil, "--config", ""); err == nil || !strings.Contains(err.Error(), "flag --config: the path is empty") {
		t.Errorf("an empty path: %v", err)
	}
	if got, err := loadPaths(t, "", os.DevNull, os.DevNull); err != nil || len(got.Files) != 2 {
		t.Errorf("no file, twice: %v", err)
	}
}

func many(prefix string, n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(echo(fmt.Sprint(prefix, i)))
	}
	return b.String()
}

func TestTooManyFiles(t *testing.T) {
	files := make(map[string]string)
	for i := range maxFiles + 1 {
		files[fmt.Sprintf("%d.hcl", i)] = ""
	}
	if _, err := loadPaths(t, folder(t, files), "."); err == nil || !strings.Contains(err.Error(), "more than 256 files") || hint.Of(err) == "" {
		t.Error(err)
	}
}

// A second Load with the same Sources sees what the files say by then; a pipe has nothing to say twice.
func TestReload(t *testing.T) {
	dir := folder(t, map[string]string{"conf/a.hcl": "nat = \"upnp\"\n"})
	src := Sources{Env: []string{"HOST_CONFIG=" + filepath.Join(dir, "conf")}}
	first, err := Load(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "conf", "b.hcl"), []byte("log_level = \"warn\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	second, err := Load(t.Context(), src)
	if err != nil || len(first.Files) != 1 || len(second.Files) != 2 || second.Config.LogLevel != "warn" || second.Config.NAT != "upnp" || second.CheckReload() != nil {
		t.Errorf("%+v, %v", second, err)
	}
	if runtime.GOOS == "windows" {
		t.Skip("skipped: Windows has no /dev/fd")
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	w.Close()
	got, err := load(t, "", nil, "--config", fmt.Sprintf("/dev/fd/%d", r.Fd()))
	if err != nil || got.CheckReload() == nil || hint.Of(got.CheckReload()) == "" {
		t.Errorf("a pipe: %+v, %v", got, err)
	}
}

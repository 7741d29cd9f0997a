package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestPluginDefaults(t *testing.T) {
	got, err := load(t, `
plugin "talk" "echo" {
  source = "builtin:echo"
}
plugin "filter" "mine" {
  source = "bin/filter"
}
plugin "store" "bolt" {
  source = "builtin:bolt"
}
`, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Plugins) != 3 {
		t.Fatalf("%d plugins, want 3", len(got.Plugins))
	}
	for i, want := range []Plugin{
		{Kind: Talk, Name: "echo", Source: "builtin:echo", Protocols: []string{}},
		{Kind: Filter, Name: "mine", Source: filepath.Join(filepath.Dir(got.Files[0]), "bin/filter"), Stages: []string{}, OnError: "accept"},
		{Kind: Store, Name: "bolt", Source: "builtin:bolt"},
	} {
		p := *got.Plugins[i]
		if values, object, err := DecodeBody(p.Config, Schema{}); err != nil || len(values) != 0 || string(object) != "{}" {
			t.Errorf("%s: a config block that was left out gives %v, %s, %v", p.Name, values, object, err)
		}
		if at := p.Where(""); at != got.Files[0]+":"+[]string{"2", "5", "8"}[i]+":1" || p.Where("sha256") != at {
			t.Errorf("%s is at %s", p.Name, at)
		}
		if at := p.Where("source"); !strings.HasSuffix(at, ":3") {
			t.Errorf("the source of %s is at %s", p.Name, at)
		}
		want.Args, want.Env, want.Enabled, want.Grants = []string{}, map[string]string{}, true, []string{}
		want.Deadline, want.MaxInFlight, want.MaxPerPeer, want.MaxQueue = 300*time.Millisecond, 1024, 32, 4096
		want.Config, want.Range, want.Ranges, want.doc = p.Config, p.Range, p.Ranges, p.doc
		if !reflect.DeepEqual(p, want) {
			t.Errorf("got  %+v\nwant %+v", p, want)
		}
	}
	if name, ok := got.Plugins[0].Builtin(); !ok || name != "echo" {
		t.Errorf("builtin %q, %v", name, ok)
	}
	if _, ok := got.Plugins[1].Builtin(); ok {
		t.Error("a path is a builtin")
	}
	problem := got.Plugins[1].Problem("source", "no such program", "build it")
	if !strings.Contains(problem.Source, `source = "bin/filter"`) || !strings.HasSuffix(problem.Where, ":6:3") {
		t.Errorf("a problem found later: %+v", problem)
	}
}

func TestPluginValues(t *testing.T) {
	sum := strings.Repeat("aB", 32)
	got, err := load(t, `
plugin "talk" "t" {
  source        = "/usr/bin/t"
  args          = ["-v", "x y"]
  sha256        = "`+sum+`"
  env           = { PATH = "/bin", "A_1" = env("SECRET", "none"), B = env("NOT_SET", "none") }
  enabled       = false
  required      = true
  grants        = ["ban", "self"]
  protocols     = ["echo", "0x00ff", "0X"]
  deadline      = "1s"
  max_in_flight = 1
  max_per_peer  = 2
  max_queue     = 3
}
plugin "filter" "f" {
  source   = "~/f"
  stages   = ["serve", "table"]
  order    = -5
  on_error = "reject"
  dry_run  = true
}
`, []string{"SECRET=s3"})
	if err != nil {
		t.Fatal(err)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	p, f := *got.Plugins[0], *got.Plugins[1]
	if p.Source != "/usr/bin/t" || !reflect.DeepEqual(p.Args, []string{"-v", "x y"}) || p.SHA256 != strings.ToLower(sum) || p.Enabled || !p.Required ||
		!reflect.DeepEqual(p.Env, map[string]string{"PATH": "/bin", "A_1": "s3", "B": "none"}) ||
		!reflect.DeepEqual(p.Grants, []string{"ban", "self"}) || !reflect.DeepEqual(p.Protocols, []string{"echo", "\x00\xff", "0X"}) ||
		p.Deadline != time.Second || p.MaxInFlight != 1 || p.MaxPerPeer != 2 || p.MaxQueue != 3 {
		t.Errorf("talk: %+v", p)
	}
	if f.Source != filepath.Join(home, "f") || !reflect.DeepEqual(f.Stages, []string{"serve", "table"}) || f.Order != -5 || f.OnError != "reject" || !f.DryRun {
		t.Errorf("filter: %+v", f)
	}
}

func TestTooManyPlugins(t *testing.T) {
	_, err := load(t, strings.Repeat("plugin \"talk\" \"a\" {\nsource = \"builtin:a\"\n}\n", maxPlugins+5), nil)
	if err == nil || strings.Count(err.Error(), "more than 64 plugins") != 1 {
		t.Errorf("%.200v", err)
	}
}

// file() reads text beside the configuration.
func TestFileFunction(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"unix": "a\nb\n\n", "dos": "a\r\n", "none": "a", "empty": "", "big": strings.Repeat("x", maxIncluded+1), "most": strings.Repeat("x", maxIncluded),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "config.hcl")
	read := func(name string) (string, error) {
		text := "plugin \"talk\" \"a\" {\nsource = \"x\"\nargs = [file(\"" + name + "\")]\n}\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := Load(t.Context(), Sources{Env: []string{"HOST_CONFIG=" + file}})
		if err != nil {
			return "", err
		}
		return got.Plugins[0].Args[0], nil
	}
	for name, want := range map[string]string{"unix": "a\nb\n", "dos": "a", "none": "a", "empty": "", "./none": "a", "most": strings.Repeat("x", maxIncluded)} {
		if got, err := read(name); err != nil || got != want {
			t.Errorf("file(%q) = %.20q, %v, want %.20q", name, got, err, want)
		}
	}
	if _, err := read("big"); err == nil || !strings.Contains(err.Error(), "too large: more than 1048576 bytes") {
		t.Errorf("a file above the limit: %v", err)
	}
}

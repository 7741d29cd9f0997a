package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

const reference = "../../../../config.hcl"

// setting is a commented line of the reference: '#' and at once a key or a brace. Prose has a space after the '#'.
var setting = regexp.MustCompile(`(?m)^(\s*)#([a-z}])`)

// The reference shows every key once, and at its default.
func TestReferenceShowsTheDefaults(t *testing.T) {
	text, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	commented, err := Load(t.Context(), Sources{Env: []string{"HOST_CONFIG=" + reference}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "config.hcl")
	if err := os.WriteFile(file, setting.ReplaceAll(text, []byte("$1$2")), 0o600); err != nil {
		t.Fatal(err)
	}
	uncommented, err := Load(t.Context(), Sources{Env: []string{"HOST_CONFIG=" + file}})
	if err != nil {
		t.Fatal(err)
	}
	plain, err := Load(t.Context(), Sources{})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(commented.Config, plain.Config) {
		t.Errorf("the file as it is changes the defaults:\n%+v\n%+v", commented.Config, plain.Config)
	}
	if !reflect.DeepEqual(uncommented.Config, plain.Config) {
		t.Errorf("the file shows other defaults:\n%+v\n%+v", uncommented.Config, plain.Config)
	}
	top.walk(func(l *leaf) {
		if got := uncommented.Origins[l.path].Where; !strings.HasPrefix(got, file) {
			t.Errorf("%s is not in the file (its value comes from %s)", l.path, got)
		}
		if got := commented.Origins[l.path].Where; got != "default" {
			t.Errorf("%s is not commented", l.path)
		}
	})
}

// The plugin blocks of the reference show every key of every kind at its default, each kind has a block, and nothing is switched on by it.
func TestReferenceShowsPlugins(t *testing.T) {
	text, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	commented, err := Load(t.Context(), Sources{Env: []string{"HOST_CONFIG=" + reference}})
	if err != nil || len(commented.Plugins) != 0 {
		t.Fatalf("as it is, the file has %d plugins (%v)", len(commented.Plugins), err)
	}
	shown, err := load(t, string(setting.ReplaceAll(text, []byte("$1$2"))), nil)
	if err != nil {
		t.Fatal(err)
	}
	keys := make(map[string]bool)
	seen := make(map[string]bool)
	for _, p := range shown.Plugins {
		seen[p.Kind] = true
		for key := range p.Ranges {
			keys[key] = true
		}
		least, err := load(t, fmt.Sprintf("plugin %q %q {\n  source = %q\n}\n", p.Kind, p.Name, p.Source), nil)
		if err != nil {
			t.Fatal(err)
		}
		got, want := *p, *least.Plugins[0]
		got.Config, got.Range, got.Ranges, got.doc = want.Config, want.Range, want.Ranges, want.doc
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s %q is shown with other defaults:\n%+v\n%+v", p.Kind, p.Name, got, want)
		}
	}
	for _, kind := range kinds {
		if !seen[kind] {
			t.Errorf("no plugin of the kind %q", kind)
		}
		for _, name := range pluginSchema(kind).names() {
			if !keys[name] {
				t.Errorf("%s of %s plugins is not shown", name, kind)
			}
		}
	}
	for kind, own := range map[string][]string{Talk: {"protocols"}, Filter: {"stages", "order", "on_error", "dry_run"}} {
		for _, p := range shown.Plugins {
			for _, key := range own {
				if _, ok := p.Ranges[key]; ok != (p.Kind == kind) {
					t.Errorf("%s %q shows %s: %v", p.Kind, p.Name, key, ok)
				}
			}
		}
	}
}

// The defaults that a schema tells people are those that a block has.
func TestDefaultsOfPluginSchema(t *testing.T) {
	for _, kind := range kinds {
		text := fmt.Sprintf("plugin %q \"a\" {\n  source = \"x\"\n}\n", kind)
		least, err := load(t, text, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range pluginSchema(kind).Attributes {
			if a.Default != "" {
				text = strings.Replace(text, "\n}", "\n  "+a.Name+" = "+a.Default+"\n}", 1)
			}
		}
		all, err := load(t, text, nil)
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		got, want := *all.Plugins[0], *least.Plugins[0]
		got.Source, want.Source = "", ""
		got.Config, got.Range, got.Ranges, got.doc = want.Config, want.Range, want.Ranges, want.doc
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n%+v\n%+v", kind, got, want)
		}
	}
}

func TestEveryKeyIsDocumented(t *testing.T) {
	top.walk(func(l *leaf) {
		if l.doc == "" || strings.HasSuffix(l.doc, ".") {
			t.Errorf("%s: doc %q, want a phrase", l.path, l.doc)
		}
		if l.flag != "" && l.value == "" {
			t.Errorf("%s: the flag's help has no name for its argument", l.path)
		}
		if l.kind == numberKind && (l.min == "" || l.max == "") {
			t.Errorf("%s: a number without bounds", l.path)
		}
	})
}

package config

import (
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

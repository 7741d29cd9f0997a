package config

import (
	"errors"
	"strings"
	"testing"
)

// What would overflow the stack of hcl's parser, or of what evaluates its result, is refused with its place.
func TestNestingIsBounded(t *testing.T) {
	const many = maxFileSize/8 - 8
	for name, c := range map[string]struct{ begin, middle, end, what string }{
		"lists":         {"a = ", "[", "", "nested more than 64 deep"},
		"maps":          {"a = ", "{a=", "", "nested more than 64 deep"},
		"parentheses":   {"a = ", "(", "", "nested more than 64 deep"},
		"blocks":        {"", "a {\n", "", "nested more than 64 deep"},
		"one line":      {"", "a{", "", "nested more than 64 deep"},
		"templates":     {"a = ", `"${`, "", "nested more than 64 deep"},
		"wrong closers": {"a = ", "[)", "", "nested more than 64 deep"},
		"calls":         {"a = ", "f(", "", "nested more than 64 deep"},
		"negations":     {"a = ", "!", "true", "more than 1024 operators"},
		"minus":         {"a = ", "-", "1", "more than 1024 operators"},
		"sums":          {"a = 1", "+1", "", "more than 1024 operators"},
		"conditions":    {"a = ", "1?", "", "more than 1024 operators"},
		"indexes":       {"a = b", "[0]", "", "more than 1024 operators"},
		"attributes":    {"a = b", ".c", "", "more than 1024 operators"},
		"splats":        {"a = b", "[*]", "", "more than 1024 operators"},
		"control":       {`a = "`, "%{if x}", `"`, "more than 1024 operators"},
	} {
		text := c.begin + strings.Repeat(c.middle, many*8/max(len(c.middle), 8)) + c.end + "\n"
		_, err := load(t, text, nil)
		ps, ok := errors.AsType[Problems](err)
		if !ok || len(ps) != 1 || ps[0].What != c.what || !strings.Contains(ps[0].Where, "config.hcl:") || ps[0].Hint == "" || ps[0].Source == "" {
			t.Errorf("%s: %.300v", name, err)
		}
	}
}

// A file of usual depth is not judged by its length, and a bracket that was forgotten does not make it deep.
func TestNestingOfUsualFiles(t *testing.T) {
	if _, says, found := tooDeep([]byte(strings.Repeat("a = [\"x\", {b = [1]}]\n", 5000)), "f"); found {
		t.Errorf("a long list of settings is %s", says.what)
	}
	if _, says, found := tooDeep([]byte(strings.Repeat("a {\n b = [\n}\n", 200)), "f"); found {
		t.Errorf("a forgotten bracket makes a file %s", says.what)
	}
	deep := "a = " + strings.Repeat("[", maxNesting) + strings.Repeat("]", maxNesting)
	if _, says, found := tooDeep([]byte(deep), "f"); found {
		t.Errorf("%d lists in each other are %s", maxNesting, says.what)
	}
}

// A few loops in each other could keep the host busy for years; a key may be called for.
func TestLoopsAreRefused(t *testing.T) {
	for _, text := range []string{
		`listen = [for x in [1]: x]`, `listen = [ # why
  for k, v in {}: v]`, `a = {for x in [1]: x => x}`, `nat = "%{ for x in [1] }a%{ endfor }"`, `nat = "%{~ for x in [1] ~}a%{ endfor }"`, `listen = [[1], [for x in [1]: x]]`,
		"plugin \"talk\" \"a\" {\n source = \"x\"\n config {\n a = [for x in [1]: x]\n}\n}",
	} {
		_, err := load(t, text, nil)
		if ps, ok := errors.AsType[Problems](err); !ok || len(ps) != 1 || ps[0].What != "a loop" || ps[0].Hint == "" || ps[0].Source == "" {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"config {\n for = \"5m\"\n}", "config { for = 1 }", "config {\n for \"x\" {\n in = 1\n}\n}", "config {\n a = {\"for\" = 1}\n}"} {
		if got, err := load(t, "plugin \"talk\" \"a\" {\n source = \"x\"\n "+text+"\n}", nil); err != nil || len(got.Plugins) != 1 {
			t.Errorf("%s: %v", text, err)
		}
	}
}

package config

import (
	"errors"
	"strings"
	"testing"
)

// Mistakes in the language are told in words of ours, and of what hcl can say there is nothing among them.
func TestOurWords(t *testing.T) {
	const of = "plugin \"talk\" \"a\" {\n  source = \"builtin:a\"\n  "
	for text, want := range map[string]string{
		`table { ipv4_prefix = 24, ipv6_prefix = 64 }`: "a block on one line",
		"table { ipv4_prefix = 24\n}":                  "a block on one line",
		"table {\n}}":                                  "something follows the block",
		`nat "any"`:                                    "neither a setting nor the begin of a block",
		"table\n{\n}":                                  "neither a setting nor a block",
		`nat`:                                          "neither a setting nor a block",
		`{`:                                            "neither a setting nor a block",
		`"nat" = "any"`:                                "a key in quotes",
		"nat = \"any\"\nnat = \"any\"":                 "appears twice",
		`table {`:                                      "the block is not closed",
		`nat =`:                                        "a value is missing",
		`nat = "any" log_level = "info"`:               "something follows the value",
		`listen = ["1" "2"]`:                           "a comma is missing in the list",
		`listen = ["1",`:                               "a value is missing",
		"nat = \"any\nlog_level = 3":                   "does not end on its line",
		`nat = "any`:                                   "the text is not closed",
		`nat = 'any'`:                                  "a character that means nothing here",
		"nat = `any`":                                  "a character that means nothing here",
		`nat = "any";`:                                 "a character that means nothing here",
		`nat = “any”`:                                  "a character that means nothing here",
		`nat = "\d"`:                                   `may follow a \`,
		"nat = \"\xff\"":                               "not UTF-8",
		`nat = any`:                                    "a word without quotes",
		`nat = any.thing`:                              "a word without quotes",
		`nat = "${any}"`:                               "a word without quotes",
		`nat = "${"`:                                   "is not closed",
		`nat = "%{"`:                                   "%{ in a text",
		`nat = envy("A")`:                              "no such function",
		`nat = env()`:                                  "an argument is missing",
		`nat = file("a", "b")`:                         "too many arguments",
		`nat = file(["a"])`:                            "not a text",
		`nat = env("A"`:                                "is not closed",
		`nat = (3`:                                     "a parenthesis is not closed",
		`response_timeout = 4s`:                        "something follows the value",
		of + "env = { A = \"1\" B = \"2\" }\n}":        "a comma is missing in the map",
		of + "env = { A }\n}":                          "in the map",
		of + "env = { A =\n}":                          "is missing",
		of + "env = {":                                 "a value is missing",
	} {
		_, err := load(t, text, nil)
		ps, ok := errors.AsType[Problems](err)
		if !ok || ps[0].Hint == "" || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
			continue
		}
		for _, p := range ps {
			for _, theirs := range []string{"argument definition", "attribute", "expression", "interpolation", "template", "tuple", "Did you", "constructor"} {
				if strings.Contains(p.What, theirs) || strings.Contains(p.Hint, theirs) {
					t.Errorf("%q: %q (hint %q) has hcl's %q", text, p.What, p.Hint, theirs)
				}
			}
		}
	}
}

// Each has both parts, in the form of our own.
func TestOurWordsAreShort(t *testing.T) {
	for summary, w := range ourWords {
		if w.what == "" || w.advice == "" || strings.HasSuffix(w.advice, ".") || strings.Contains(w.what, "\n") {
			t.Errorf("%s: %q", summary, w)
		}
	}
}

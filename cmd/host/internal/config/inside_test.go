package config

import (
	"strings"
	"testing"
)

// A mistake within a text is shown where it stands in the file.
func TestProblemInside(t *testing.T) {
	got, err := load(t, `plugin "filter" "a" {
  source = "builtin:expr"
  config {
    plain = "abcdef"
    quoted = "a \"b\" \u00e9 $${x} #c"
    long = <<EOT
first
  second line
EOT
    made = "${"a"}bcdef"
  }
}
`, nil)
	if err != nil {
		t.Fatal(err)
	}
	body := got.Plugins[0].Config
	for _, c := range []struct {
		key          string
		line, column int
		where, mark  string
	}{
		{"plain", 1, 1, ":4:14", "a"}, {"plain", 1, 6, ":4:19", "f"}, {"plain", 1, 99, ":4:13", `"abcdef"`}, {"plain", 2, 1, ":4:13", `"abcdef"`},
		{"quoted", 1, 4, ":5:19", `b`}, {"quoted", 1, 7, ":5:23", `\`}, {"quoted", 1, 14, ":5:36", `#`},
		{"long", 2, 5, ":8:3", "second line"}, {"long", 1, 1, ":7:1", "first"}, {"long", 9, 1, ":15:1", ""},
		{"missing", 1, 1, ":3:3", "config"},
	} {
		p := body.Problem(c.key, c.line, c.column, "what", "advice")
		marked := ""
		if lines := strings.Split(p.Source, "\n"); len(lines) == 2 {
			from := strings.Index(lines[1], "^")
			marked = lines[0][from : from+strings.Count(lines[1], "^")]
		}
		if !strings.HasSuffix(p.Where, c.where) || strings.TrimSpace(marked) != c.mark {
			t.Errorf("%s %d:%d is at %s, marked %q", c.key, c.line, c.column, p.Where, marked)
		}
	}
}

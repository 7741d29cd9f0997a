package expr

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

const readme = "README.md"

// README.md ends with what Reference returns. UPDATE_README=1 writes it.
func TestReadmeHasTheReference(t *testing.T) {
	b, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	head, tables, ok := strings.Cut(string(b), "\n## Reference\n\n")
	if !ok {
		t.Fatal("README.md has no chapter Reference")
	}
	if os.Getenv("UPDATE_README") != "" {
		if err := os.WriteFile(readme, []byte(head+"\n## Reference\n\n"+Reference()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if tables != Reference() {
		t.Error("README.md is behind: UPDATE_README=1 go test ./sdk/expr -run Readme")
	}
}

// Every expression of README.md compiles, and the table about absence is true.
func TestReadmeExpressions(t *testing.T) {
	b, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	_, examples, _ := strings.Cut(text, "## Examples\n")
	examples, absence, _ := strings.Cut(examples, "## What is absent\n")
	absence, _, _ = strings.Cut(absence, "## Reasons\n")
	_, functions, _ := strings.Cut(text, "### Functions\n")
	quoted := regexp.MustCompile("`([^`]+)`")
	count := 0
	for row := range strings.Lines(examples + functions) {
		if cells := strings.Split(row, " | "); len(cells) > 1 && strings.Contains(row, "`") {
			for _, m := range quoted.FindAllStringSubmatch(row, -1) {
				compiled(t, strings.ReplaceAll(m[1], `\|`, "|"))
				count++
			}
		}
	}
	if count < 20 {
		t.Errorf("%d examples", count)
	}
	nodes := []string{"", "cgc=04", "cgc=08"}
	rows := 0
	for row := range strings.Lines(absence) {
		m := quoted.FindStringSubmatch(row)
		cells := strings.Split(strings.Trim(strings.TrimSpace(row), "|"), " | ")
		if !strings.HasPrefix(row, "| `") || m == nil || len(cells) != 4 {
			continue
		}
		rows++
		p := compiled(t, strings.ReplaceAll(m[1], `\|`, "|"))
		for i, pair := range nodes {
			n := nodeWith(t)
			if pair != "" {
				n = nodeWith(t, pair)
			}
			if want := strings.TrimSpace(cells[i+1]) == "yes"; p.Match(n) != want {
				t.Errorf("%s with %q: %v", p, pair, !want)
			}
		}
	}
	if rows != 9 {
		t.Errorf("%d rows about absence", rows)
	}
}

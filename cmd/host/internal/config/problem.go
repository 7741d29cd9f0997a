package config

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2"
)

// Problem is one mistake in the settings.
type Problem struct {
	Where   string // "config.hcl:3:1", "environment variable HOST_NAT", "flag --listen"
	What    string // one line, may quote the value
	Source  string // the source lines, numbered and marked; empty when there are none
	Hint    string // what to do
	OnFlags bool   // made on the command line

	line, column int // in the file, 0 elsewhere
}

// Error is where and what, without source and hint.
func (p Problem) Error() string { return p.Where + ": " + p.What }

// MarshalJSON writes the problem for editors and other programs: where, what, hint and source, and for a mistake in a file also file,
// line and column, from 1.
func (p Problem) MarshalJSON() ([]byte, error) {
	out := struct {
		Where  string `json:"where"`
		File   string `json:"file,omitempty"`
		Line   int    `json:"line,omitempty"`
		Column int    `json:"column,omitempty"`
		What   string `json:"what"`
		Hint   string `json:"hint,omitempty"`
		Source string `json:"source,omitempty"`
	}{p.Where, "", p.line, p.column, p.What, p.Hint, p.Source}
	if p.line > 0 {
		out.File = strings.TrimSuffix(p.Where, fmt.Sprintf(":%d:%d", p.line, p.column))
	}
	return json.Marshal(out)
}

// Problems are all mistakes of a configuration, in the order of the layers.
type Problems []Problem

// Error lists the problems, one a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// OnFlags tells whether every problem was made on the command line.
func (ps Problems) OnFlags() bool {
	for _, p := range ps {
		if !p.OnFlags {
			return false
		}
	}
	return len(ps) > 0
}

// orNil is the problems as an error; nil: there are none.
func (ps Problems) orNil() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}

// sort puts problems of one file into its order.
func (ps Problems) sort() {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.column, b.column))
	})
}

// visible replaces what a terminal would obey, or not show, by a sign of the same width.
func visible(line string) []rune {
	runes := []rune(line)
	for i, r := range runes {
		if r == '\t' {
			runes[i] = ' '
		} else if !unicode.IsPrint(r) {
			runes[i] = unicode.ReplacementChar
		}
	}
	return runes
}

// snippet shows the first line of the range with a marker below it. What comes behind cut, a place on that line, is left out, and
// what looks like a secret; the zero value cuts nothing.
func snippet(source []byte, at hcl.Range, cut hcl.Pos) string {
	lines := strings.Split(string(source), "\n")
	if at.Start.Line < 1 || at.Start.Line > len(lines) {
		return ""
	}
	const widest = 120 // a line longer than this is cut, with its marker
	runes := visible(withoutSecrets(strings.TrimRight(lines[at.Start.Line-1], "\r")))
	if cut.Line == at.Start.Line && cut.Column-1 < len(runes) {
		runes = append(runes[:cut.Column-1], '…')
	}
	if len(runes) > widest {
		runes = append(runes[:widest-1], '…')
	}
	from := min(max(at.Start.Column-1, 0), len(runes))
	to := len(runes)
	if at.End.Line == at.Start.Line {
		to = min(max(at.End.Column-1, from), len(runes))
	}
	number := fmt.Sprintf("%5d", at.Start.Line)
	text := number + " | " + string(runes)
	if from < widest-1 {
		text += "\n" + strings.Repeat(" ", len(number)) + " | " + strings.Repeat(" ", from) + strings.Repeat("^", max(to-from, 1))
	}
	return text
}

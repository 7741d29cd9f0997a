package config

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Problem is a mistake within the text of a key of the body, found by whoever understands that text: at a line and a column in it,
// both from 1; the column counts characters. Where the key is missing, it is at the header of the block. What file() returned
// is not quoted: then the problem says no more than the place in that.
func (b *Body) Problem(key string, line, column int, what, advice string) Problem {
	r := b.Range
	body, ok := b.Body.(*hclsyntax.Body)
	if ok && body.Attributes[key] != nil {
		attr := body.Attributes[key]
		r = b.doc.inside(attr.Expr, line, column)
		v, _ := attr.Expr.Value(b.doc.eval)
		if _, hidden := reveal(v); hidden {
			what = fmt.Sprintf("%s: line %d, column %d of the text that file() read is a mistake", join(b.path, key), line, column)
			advice = "write the text here to see what is wrong with it"
		}
	}
	return b.doc.problem(r, what, advice)
}

// inside is the place of a character of a text in the expression it comes from, as far as that can be told.
func (d *document) inside(expr hclsyntax.Expression, line, column int) hcl.Range {
	r := expr.Range()
	raw := string(r.SliceBytes(d.text))
	switch {
	case strings.HasPrefix(raw, `"`) && strings.Count(raw, "\n") == 0 && line == 1:
		at := r.Start.Column + 1 + writtenBefore(raw[1:], column-1)
		if at < r.End.Column {
			r.Start.Column, r.End.Column = at, at+1
		}
	case strings.HasPrefix(raw, "<<"):
		r.Start.Line, r.Start.Column = r.Start.Line+line, 1
		r.End = r.Start
		if lines := strings.Split(raw, "\n"); line < len(lines) {
			text := strings.TrimSpace(lines[line])
			r.Start.Column += utf8.RuneCountInString(lines[line][:strings.Index(lines[line], text)])
			r.End.Column = r.Start.Column + utf8.RuneCountInString(text)
		}
	}
	return r
}

// writtenBefore is how many characters of a quoted text stand before its character n, when escapes are written as they are.
func writtenBefore(raw string, n int) (written int) {
	for ; n > 0 && raw != ""; n-- {
		width := 1
		switch {
		case strings.HasPrefix(raw, `\u`):
			width = 6
		case strings.HasPrefix(raw, `\U`):
			width = 10
		case raw[0] == '\\':
			width = 2
		case strings.HasPrefix(raw, "$${"), strings.HasPrefix(raw, "%%{"):
			width = 2
		}
		for ; width > 0 && raw != ""; width-- {
			_, size := utf8.DecodeRuneInString(raw)
			raw, written = raw[size:], written+1
		}
	}
	return written
}

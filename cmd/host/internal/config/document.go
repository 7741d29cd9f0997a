package config

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/cmd/host/internal/plainfile"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// document is a parsed file: what it takes to evaluate its expressions and to point at a place in it.
type document struct {
	file string // as the operator wrote it
	text []byte
	eval *hcl.EvalContext
}

func (d *document) at(r hcl.Range) string {
	return fmt.Sprintf("%s:%d:%d", d.file, r.Start.Line, r.Start.Column)
}

func (d *document) problem(r hcl.Range, what, advice string) Problem {
	return d.problemUpTo(hcl.Pos{}, r, what, advice)
}

// problemUpTo is a problem whose source line is cut at a place.
func (d *document) problemUpTo(cut hcl.Pos, r hcl.Range, what, advice string) Problem {
	return Problem{Where: d.at(r), What: what, Source: snippet(d.text, r, cut), Hint: advice, line: r.Start.Line, column: r.Start.Column}
}

// diagnosed is the problem that hcl found.
func (d *document) diagnosed(diag *hcl.Diagnostic) Problem {
	r := hcl.Range{Start: hcl.InitialPos, End: hcl.InitialPos}
	if diag.Subject != nil {
		r = *diag.Subject
	}
	if call, ok := hcl.DiagnosticExtra[hclsyntax.FunctionCallDiagExtra](diag); ok && call.FunctionCallError() != nil {
		err := call.FunctionCallError()
		advice := hint.Of(err)
		if advice == "" {
			advice = functionsHelp
		}
		return d.problem(r, call.CalledFunctionName()+": "+err.Error(), advice)
	}
	w := inOurWords(diag)
	return d.problem(r, w.what, w.advice)
}

// relative takes a path in the file from the file's own folder. A file that came through a pipe has none, its paths start
// where the host was started.
func (d *document) relative(path string) string {
	if path == "" || plainfile.Given(d.file) || filepath.IsAbs(path) || strings.HasPrefix(path, "~") {
		return path
	}
	return filepath.Join(filepath.Dir(d.file), path)
}

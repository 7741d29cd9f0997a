package config

import (
	"fmt"

	"github.com/discv5/host/cmd/host/internal/plainfile"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Mistakes evaluates everything in the body and returns what cannot be, without a schema: a variable that is not set, a file that is
// not there.
func (b *Body) Mistakes() Problems {
	body, ok := b.Body.(*hclsyntax.Body)
	if !ok || b.doc == nil {
		return nil
	}
	var problems Problems
	var walk func(*hclsyntax.Body)
	walk = func(body *hclsyntax.Body) {
		for _, attr := range sorted(body.Attributes) {
			_, diags := attr.Expr.Value(b.doc.eval)
			for _, d := range diags {
				problems = append(problems, b.doc.diagnosed(d))
			}
		}
		for _, nested := range body.Blocks {
			walk(nested.Body)
		}
	}
	walk(body)
	problems.sort()
	return problems
}

// ReadBody reads a file that contains what would stand in a config block, for DecodeBody. env is what the function env sees, as
// "NAME=value".
func ReadBody(path string, env []string) (*Body, error) {
	text, err := plainfile.Read(path, maxFileSize)
	if err != nil {
		return nil, fmt.Errorf("read the config block: %w", err)
	}
	doc := &document{file: path, text: text}
	doc.eval = functions(doc, env)
	if at, says, found := tooDeep(text, path); found {
		return nil, Problems{doc.problem(at, says.what, says.advice)}
	}
	file, diags := hclsyntax.ParseConfig(text, path, hcl.InitialPos)
	if diags.HasErrors() {
		var problems Problems
		for _, d := range diags {
			problems = append(problems, doc.diagnosed(d))
		}
		return nil, problems
	}
	return &Body{Body: file.Body, Range: hcl.Range{Filename: path, Start: hcl.InitialPos, End: hcl.InitialPos}, doc: doc}, nil
}

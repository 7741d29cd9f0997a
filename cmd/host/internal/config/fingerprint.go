package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// Fingerprint is the same text for bodies that say the same, wherever they stand and whatever is said around it: it covers the
// values of keys, what env and file returned among them, and nested blocks in their order. It shows nothing of the values. It stays as
// it was at the first call, when a file says something else later.
func (b *Body) Fingerprint() string {
	b.printing.Do(func() {
		sum := sha256.New()
		if inner, ok := b.Body.(*hclsyntax.Body); ok {
			fingerprint(sum, inner, b.eval())
		}
		b.print = hex.EncodeToString(sum.Sum(nil))
	})
	return b.print
}

func (b *Body) eval() *hcl.EvalContext {
	if b.doc == nil {
		return nil
	}
	return b.doc.eval
}

// Text is the value of a key that is text; not ok: it is missing, or something else.
func (b *Body) Text(key string) (text string, ok bool) {
	inner, is := b.Body.(*hclsyntax.Body)
	if !is || inner.Attributes[key] == nil {
		return "", false
	}
	value, diags := inner.Attributes[key].Expr.Value(b.eval())
	value, _ = reveal(value)
	if diags.HasErrors() || !value.IsWhollyKnown() || value.IsNull() || value.Type() != cty.String {
		return "", false
	}
	return value.AsString(), true
}

func fingerprint(w io.Writer, b *hclsyntax.Body, eval *hcl.EvalContext) {
	for _, name := range slices.Sorted(maps.Keys(b.Attributes)) {
		fmt.Fprintf(w, "%q=", name)
		value, diags := b.Attributes[name].Expr.Value(eval)
		value, _ = reveal(value)
		if text, err := ctyjson.Marshal(value, value.Type()); err == nil && !diags.HasErrors() {
			fmt.Fprintf(w, "%d %s;", len(text), text)
		} else {
			fmt.Fprintf(w, "? %v;", diags) // a mistake, which DecodeBody reports
		}
	}
	for _, nested := range b.Blocks {
		fmt.Fprintf(w, "%q%q{", nested.Type, nested.Labels)
		fingerprint(w, nested.Body, eval)
		fmt.Fprint(w, "}")
	}
}

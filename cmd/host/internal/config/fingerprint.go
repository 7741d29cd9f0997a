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
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// Fingerprint is the same text for bodies that say the same, wherever they stand and whatever is said around it: it covers the
// values of keys, what env and file returned among them, and nested blocks in their order. It shows nothing of the values.
func (b *Body) Fingerprint() string {
	sum := sha256.New()
	if inner, ok := b.Body.(*hclsyntax.Body); ok {
		var eval *hcl.EvalContext
		if b.doc != nil {
			eval = b.doc.eval
		}
		fingerprint(sum, inner, eval)
	}
	return hex.EncodeToString(sum.Sum(nil))
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

package config

import (
	"fmt"
	"math"
	"math/big"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// wanted says what a value of the type looks like.
func (t Type) wanted() string {
	switch t {
	case String:
		return "text in quotes"
	case Int:
		return "a whole number"
	case Float:
		return "a number"
	case Bool:
		return "true or false"
	case Duration:
		return `a number with a unit in quotes, like "300ms"`
	case StringList:
		return "a list of texts in brackets"
	case StringMap:
		return "a map of texts in braces"
	}
	return "a value"
}

// attribute evaluates an attribute and checks its type.
func (d *decoder) attribute(attr *hclsyntax.Attribute, a *Attribute, path string) (any, bool) {
	before := len(d.problems)
	v, diags := attr.Expr.Value(d.doc.eval)
	var out any
	if diags.HasErrors() {
		for _, diag := range diags {
			d.problems = append(d.problems, d.doc.diagnosed(diag))
		}
	} else {
		d.note(a.Name, path, v)
		v, hidden := reveal(v)
		out = d.value(attr.Expr, v, a.Type, join(path, a.Name))
		if hidden { // a key of a map may be what file() read
			for i := range d.problems[before:] {
				d.problems[before+i].What, d.problems[before+i].Hint = join(path, a.Name)+": "+hiddenWrong, hiddenAdvice
			}
		}
	}
	if a.Secret {
		for i := range d.problems[before:] {
			d.problems[before+i].Source = snippet(d.doc.text, attr.Expr.Range(), attr.Expr.Range().Start)
		}
	}
	return out, len(d.problems) == before
}

// note remembers what of an attribute of the outermost block must not be shown: the attribute, and which elements of its map or list.
func (d *decoder) note(name, path string, v cty.Value) {
	outer, whole := v.Unmark()
	if _, hidden := reveal(v); !hidden || path != "" {
		return
	}
	if d.hidden == nil {
		d.hidden = make(map[string]bool)
	}
	d.hidden[name] = true
	if outer.IsNull() || !outer.IsKnown() || !outer.CanIterateElements() {
		return
	}
	for it := outer.ElementIterator(); it.Next(); {
		key, elem := it.Element()
		if _, hidden := reveal(elem); hidden || len(whole) > 0 {
			d.hidden[join(name, elementName(key))] = true
		}
	}
}

// elementName is the key of a map, or the place in a list from 0 on.
func elementName(key cty.Value) string {
	if key, _ = reveal(key); key.Type() == cty.String {
		return key.AsString()
	}
	return key.AsBigFloat().Text('f', 0)
}

// value converts v, which has no tags, or adds a problem.
func (d *decoder) value(expr hcl.Expression, v cty.Value, t Type, name string) any {
	r := expr.Range()
	wrong := func() any {
		d.add(r, "wrong type of "+name, t.wanted()+" is needed here")
		return nil
	}
	if v.IsNull() || !v.IsWhollyKnown() {
		return wrong()
	}
	is := v.Type()
	switch {
	case (t == String || t == Duration) && is == cty.String:
		text := v.AsString()
		if t == Duration {
			if _, err := time.ParseDuration(text); err != nil {
				d.add(r, name+" is not a duration", `write a number with a unit, like "500ms" or "4s"`)
			}
		}
		return text
	case t == Bool && is == cty.Bool:
		return v.True()
	case t == Int && is == cty.Number:
		n, accuracy := v.AsBigFloat().Int64()
		if accuracy != big.Exact {
			d.add(r, name+" is not a whole number of 64 bits", "leave out the fraction")
		}
		return n
	case t == Float && is == cty.Number:
		f, _ := v.AsBigFloat().Float64()
		if math.IsInf(f, 0) {
			d.add(r, name+" is too large", "use a number below 1e308")
		}
		return f
	case t == StringList && (is.IsTupleType() || is.IsListType()):
		return d.list(expr, v, name)
	case t == StringMap && (is.IsObjectType() || is.IsMapType()):
		return d.table(expr, v, name)
	}
	return wrong()
}

func (d *decoder) list(expr hcl.Expression, v cty.Value, name string) any {
	list := []string{}
	if v.LengthInt() > maxList {
		d.add(expr.Range(), fmt.Sprintf("%s has %d elements", name, v.LengthInt()), fmt.Sprintf("a list has at most %d", maxList))
		return list
	}
	for i, elem := range v.AsValueSlice() {
		if elem.IsNull() || elem.Type() != cty.String {
			d.add(element(expr, i), "wrong type in "+name, String.wanted()+" is needed here")
			continue
		}
		list = append(list, elem.AsString())
	}
	return list
}

// element is the place of an element of a list, or of the list when its elements have none.
func element(expr hcl.Expression, i int) hcl.Range {
	if exprs, _ := hcl.ExprList(expr); i < len(exprs) {
		return exprs[i].Range()
	}
	return expr.Range()
}

func (d *decoder) table(expr hcl.Expression, v cty.Value, name string) any {
	table := make(map[string]string)
	if v.LengthInt() > maxList {
		d.add(expr.Range(), fmt.Sprintf("%s has %d elements", name, v.LengthInt()), fmt.Sprintf("a map has at most %d", maxList))
		return table
	}
	for it := v.ElementIterator(); it.Next(); {
		key, elem := it.Element()
		if elem.IsNull() || elem.Type() != cty.String {
			d.add(entry(expr, key.AsString()), fmt.Sprintf("wrong type of %q in %s", key.AsString(), name), String.wanted()+" is needed here")
			continue
		}
		table[key.AsString()] = elem.AsString()
	}
	return table
}

// entry is the place of a key in a map, or of the map when its keys have none.
func entry(expr hcl.Expression, key string) hcl.Range {
	pairs, _ := hcl.ExprMap(expr)
	for _, pair := range pairs {
		if k, diags := pair.Key.Value(nil); !diags.HasErrors() && k.Type() == cty.String && !k.IsNull() && k.AsString() == key {
			return pair.Key.Range()
		}
	}
	return expr.Range()
}

package config

import (
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"

	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/cmd/host/internal/nearest"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/knadh/koanf/v2"
	"github.com/zclconf/go-cty/cty"
)

// parser reads HCL by the schema. It implements koanf.Parser; what koanf's interface has no room for (positions, several
// mistakes) stays in its fields.
type parser struct {
	file     string // as the operator wrote it
	schema   *schema
	env      []string // for the function env
	doc      *document
	plugins  []*Plugin
	origins  map[string]Origin
	problems Problems
	good     values       // what is right in a file with problems
	badLines map[int]bool // lines whose syntax is wrong: what they mean is not judged
	openText bool         // a text that does not end on its line was reported

	cut    hcl.Pos // where the value of the attribute begins that is being read, if it is a secret
	hidden bool    // its value has a part that file() returned
}

// pluginType is the type of the blocks that Plugin stands for.
const pluginType = "plugin"

var _ koanf.Parser = (*parser)(nil)

// Unmarshal returns the file's values as nested maps. Mistakes are Problems; the values that are right come with them.
func (p *parser) Unmarshal(source []byte) (map[string]any, error) {
	p.doc = &document{file: p.file, text: source}
	p.doc.eval = functions(p.doc, p.env)
	p.origins, p.plugins, p.problems, p.badLines, p.openText = make(map[string]Origin), nil, nil, make(map[int]bool), false
	if at, says, found := tooDeep(source, p.file); found {
		p.add(at, says.what, says.advice)
		return nil, p.problems
	}
	file, diags := hclsyntax.ParseConfig(source, p.file, hcl.InitialPos)
	for _, d := range diags {
		p.syntax(d)
	}
	found := make(values)
	if file != nil {
		if body, ok := file.Body.(*hclsyntax.Body); ok {
			p.block(p.withoutPlugins(body), p.schema, found)
		}
	}
	if len(p.problems) > 0 {
		p.problems.sort()
		p.good = found
		return found, p.problems
	}
	return found, nil
}

// withoutPlugins reads the plugin blocks and returns the rest.
func (p *parser) withoutPlugins(body *hclsyntax.Body) *hclsyntax.Body {
	rest := *body
	rest.Blocks = nil
	var blocks hclsyntax.Blocks
	for _, b := range body.Blocks {
		if b.Type == pluginType {
			blocks = append(blocks, b)
		} else {
			rest.Blocks = append(rest.Blocks, b)
		}
	}
	found, problems := plugins(p.doc, blocks)
	p.plugins = found
	for _, problem := range problems {
		p.report(problem)
	}
	return &rest
}

func (p *parser) at(r hcl.Range) string { return p.doc.at(r) }

func (p *parser) add(r hcl.Range, what, advice string) {
	p.report(p.doc.problemUpTo(p.cut, r, what, advice))
}

func (p *parser) report(problem Problem) {
	if !p.badLines[problem.line] {
		p.problems = append(p.problems, problem)
	}
}

func (p *parser) syntax(d *hcl.Diagnostic) {
	if d.Summary == openText { // behind it the begin of the next text is taken for its end, and so on
		if p.openText {
			return
		}
		p.openText = true
	}
	problem := p.doc.diagnosed(d)
	p.report(problem)
	p.badLines[problem.line] = true
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// sorted returns attributes in the order of the file.
func sorted(attrs hclsyntax.Attributes) []*hclsyntax.Attribute {
	return slices.SortedFunc(maps.Values(attrs), func(a, b *hclsyntax.Attribute) int {
		return a.SrcRange.Start.Byte - b.SrcRange.Start.Byte
	})
}

// block reads one body into values, in the order of the file.
func (p *parser) block(body *hclsyntax.Body, s *schema, values map[string]any) {
	for _, attr := range sorted(body.Attributes) {
		l := s.leaves[attr.Name]
		p.cut, p.hidden = hcl.Pos{}, false
		if l != nil && l.secret {
			p.cut = attr.Expr.Range().Start
		}
		switch {
		case l != nil:
			if v, ok := p.leaf(attr, l); ok {
				values[attr.Name] = v
				p.origins[l.path] = Origin{Where: p.at(attr.SrcRange), Secret: l.secret || p.hidden, problem: p.doc.problemUpTo(p.cut, attr.SrcRange, "", "")}
			}
		case s.blocks[attr.Name] != nil:
			p.add(attr.NameRange, fmt.Sprintf("%q is a block", join(s.path, attr.Name)), fmt.Sprintf("write %s { … } without an equals sign", attr.Name))
		default:
			p.unknown(attr.NameRange, attr.Name, s)
		}
	}
	p.cut = hcl.Pos{}
	seen := make(map[string]hcl.Range)
	for _, b := range body.Blocks {
		inner := s.blocks[b.Type]
		switch {
		case inner == nil && s.leaves[b.Type] != nil:
			p.add(b.TypeRange, fmt.Sprintf("%q is not a block", join(s.path, b.Type)), fmt.Sprintf("write %s = %s", b.Type, s.leaves[b.Type].example()))
		case inner == nil:
			p.unknown(b.TypeRange, b.Type, s)
		case len(b.Labels) > 0:
			p.add(b.LabelRanges[0], fmt.Sprintf("the block %q takes no label", inner.path), fmt.Sprintf("write %s { … }", b.Type))
		case seen[b.Type] != hcl.Range{}:
			p.add(b.DefRange(), fmt.Sprintf("the block %q appears twice", inner.path), fmt.Sprintf("put its keys into the one at %s", p.at(seen[b.Type])))
		default:
			seen[b.Type] = b.DefRange()
			nested := make(map[string]any)
			p.block(b.Body, inner, nested)
			values[b.Type] = nested
		}
	}
}

func (p *parser) unknown(r hcl.Range, name string, s *schema) {
	what := fmt.Sprintf("unknown key %q", join(s.path, name))
	names := s.names
	if s.path == "" {
		names = append(slices.Clip(names), pluginType)
	}
	if near := nearest.Word(name, names); near != "" {
		if l := s.leaves[near]; l != nil && l.secret {
			p.cut = r.End
		}
		p.add(r, what, fmt.Sprintf("did you mean %q?", near))
		return
	}
	// A known key in the wrong block.
	home := ""
	p.schema.walk(func(l *leaf) {
		if block, key, nested := strings.Cut(l.path, "."); nested && key == name {
			home = block
		} else if !nested && l.path == name && s.path != "" {
			home = "the top level"
		}
	})
	if home != "" {
		p.add(r, what, fmt.Sprintf("%s belongs into %s", name, home))
		return
	}
	p.add(r, what, "the keys are "+strings.Join(names, ", "))
}

// leaf evaluates an attribute and checks it.
func (p *parser) leaf(attr *hclsyntax.Attribute, l *leaf) (any, bool) {
	v, diags := attr.Expr.Value(p.doc.eval)
	if diags.HasErrors() {
		for _, d := range diags {
			p.syntax(d)
		}
		return nil, false
	}
	v, p.hidden = reveal(v)
	if !l.list {
		return p.element(attr.Expr.Range(), v, l)
	}
	if v.IsNull() || !v.IsKnown() || !(v.Type().IsTupleType() || v.Type().IsListType()) {
		p.add(attr.Expr.Range(), fmt.Sprintf("%s must be a list", l.path), fmt.Sprintf("write %s = [ … ]", attr.Name))
		return nil, false
	}
	if err := l.checkLength(v.LengthInt()); err != nil {
		p.add(attr.Expr.Range(), fmt.Sprintf("%s: %v", l.path, err), hint.Of(err))
		return nil, false
	}
	exprs, _ := hcl.ExprList(attr.Expr)
	list, ok := []any{}, true
	for i, elem := range v.AsValueSlice() {
		r := attr.Expr.Range()
		if i < len(exprs) {
			r = exprs[i].Range()
		}
		one, good := p.element(r, elem, l)
		list, ok = append(list, one), ok && good
	}
	return list, ok
}

// element converts one value to the form koanf holds, see leaf.parse.
func (p *parser) element(r hcl.Range, v cty.Value, l *leaf) (any, bool) {
	want := map[kind]cty.Type{textKind: cty.String, boolKind: cty.Bool, numberKind: cty.Number}[l.kind]
	if v.IsNull() || !v.IsKnown() || v.Type() != want {
		p.add(r, fmt.Sprintf("wrong type of %s", l.path), l.wanted()+" is needed here")
		return nil, false
	}
	var out any
	var err error
	switch l.kind {
	case boolKind:
		out = v.True()
	case numberKind:
		n, accuracy := v.AsBigFloat().Int64()
		if accuracy != big.Exact {
			err = hint.New("not a whole number", l.bounds())
		} else {
			out, err = n, l.checkNumber(n)
		}
	default:
		out, err = l.parseOne(v.AsString())
		if l.isPath {
			if out = v.AsString(); out != l.word {
				out = p.doc.relative(v.AsString())
			}
		}
	}
	if err != nil && p.hidden && !l.secret {
		p.add(r, l.path+": "+hiddenWrong, hiddenAdvice)
		return nil, false
	}
	if err != nil {
		p.add(r, fmt.Sprintf("%s: %v", l.path, err), hint.Of(err))
		return nil, false
	}
	return out, true
}

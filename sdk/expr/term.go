package expr

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"github.com/discv5/host/sdk/forks"
)

// Reasons that do not name a field.
const (
	reasonNoMatch = "no_match" // the term reads several fields, or none
	reasonError   = "error"    // it could not be evaluated
	reasonNoField = "no_field" // a field is absent that the expression does not name
	reasonBad     = "bad_field"
)

// term is one operand of the outermost "&&". In CEL, a false operand decides whatever the others
// are, and without one an error does; an expression that ends in an error does not match. So the
// terms can be asked one after the other, and the first that is not true has the reason.
type term struct {
	program      cel.Program
	text         string
	line, column int

	subjects []string // fields and variables that it reads, as reason codes, sorted
	reason   string   // why it is false when all that it reads is there
	forks    bool     // it calls fork()
	distance bool     // it reads node.distance
}

// terms splits a checked expression and makes a program of each part.
func (s *settings) terms(env *cel.Env, checked *cel.Ast) ([]*term, error) {
	whole := checked.NativeRep()
	var out []*term
	for _, e := range operands(whole.Expr(), nil) {
		t := &term{}
		t.read(whole, e)
		part := ast.NewCheckedAST(ast.NewAST(e, whole.SourceInfo()), whole.TypeMap(), whole.ReferenceMap())
		p, err := env.PlanProgram(part, s.programOptions(hasLoops(e))...)
		if err != nil {
			return nil, problem(t.line, t.column, "%v", err)
		}
		t.program = p
		out = append(out, t)
	}
	return out, nil
}

// operands returns those of the outermost "&&", from left to right.
func operands(e ast.Expr, out []ast.Expr) []ast.Expr {
	if e.Kind() == ast.CallKind && e.AsCall().FunctionName() == operators.LogicalAnd {
		for _, arg := range e.AsCall().Args() {
			out = operands(arg, out)
		}
		return out
	}
	return append(out, e)
}

func hasLoops(e ast.Expr) (found bool) {
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(e ast.Expr) {
		found = found || e.Kind() == ast.ComprehensionKind
	}))
	return found
}

// read collects what is known about a term before it is evaluated.
func (t *term) read(whole *ast.AST, e ast.Expr) {
	info := whole.SourceInfo()
	first := info.GetStartLocation(e.ID())
	subjects := make(map[string]bool)
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(e ast.Expr) {
		if at := info.GetStartLocation(e.ID()); at.Line() > 0 && (at.Line() < first.Line() || at.Line() == first.Line() && at.Column() < first.Column()) {
			first = at // an operator's place is its sign, behind its left operand
		}
		if s := subject(e); s != "" {
			subjects[code(s)] = true
		}
		if e.Kind() == ast.CallKind && e.AsCall().FunctionName() == nameFork {
			t.forks = true
		}
		if e.Kind() == ast.SelectKind && e.AsSelect().FieldName() == "distance" && isIdent(e.AsSelect().Operand(), "node") {
			t.distance = true
		}
	}))
	t.line, t.column = first.Line(), first.Column()+1
	if shown, err := cel.ExprToString(e, info); err == nil {
		t.text = strings.ReplaceAll(shown, "."+nameIn+"(", ".in(")
	}
	t.subjects = sortedKeys(subjects)
	t.reason = reasonNoMatch
	if len(t.subjects) == 1 {
		t.reason = t.subjects[0]
	}
}

// subject names the field or variable that a part of an expression reads; "" if it reads none itself.
func subject(e ast.Expr) string {
	switch e.Kind() {
	case ast.IdentKind:
		switch name := e.AsIdent(); name {
		case "ip", "ip4", "ip6", "udp", "tcp":
			return name
		}
	case ast.SelectKind:
		of, name := e.AsSelect().Operand(), e.AsSelect().FieldName()
		switch {
		case isIdent(of, "enr") && name == "custody_columns":
			return "cgc"
		case isIdent(of, "enr") && !isView(name), isIdent(of, "node"):
			return name
		case isViewOf(of):
			return name // enr.raw.key
		}
	case ast.CallKind:
		call := e.AsCall()
		switch name := call.FunctionName(); name {
		case nameHas:
			if isIdent(call.Target(), "enr") {
				return written(call.Args()[0])
			}
		case nameCustody:
			return "cgc"
		case nameFork:
			return nameFork
		case operators.Index:
			if isViewOf(call.Args()[0]) {
				return written(call.Args()[1])
			}
		case operators.In:
			if isViewOf(call.Args()[1]) {
				return written(call.Args()[0])
			}
		}
	}
	return ""
}

// written returns a key that is written out; otherwise a word for any.
func written(e ast.Expr) string {
	if s, ok := literal[types.String](e); ok {
		return string(s)
	}
	return "field"
}

func isIdent(e ast.Expr, name string) bool {
	return e != nil && e.Kind() == ast.IdentKind && e.AsIdent() == name
}

func isView(name string) bool {
	return name == "raw" || name == "bytes" || name == "text" || name == "number"
}

func isViewOf(e ast.Expr) bool {
	return e.Kind() == ast.SelectKind && isView(e.AsSelect().FieldName()) && isIdent(e.AsSelect().Operand(), "enr")
}

// decide evaluates the term and writes what makes it false into v.
func (t *term) decide(r *record, v *Verdict) {
	r.forkSays = ""
	out, _, err := t.program.Eval(r)
	if err == nil {
		if out == types.True {
			return
		}
		v.Match, v.Reason = false, t.reason
		if t.forks && r.forkSays != "" && len(t.subjects) == 1 {
			v.Reason = nameFork + "_" + r.forkSays
		}
		return
	}
	v.Match = false
	if m, ok := errors.AsType[*missing](err); ok {
		v.Reason, v.Detail = t.missed(m), m
		return
	}
	if name, ok := strings.CutPrefix(err.Error(), "no such key: "); ok { // of enr.raw and its like
		v.Reason, v.Detail = reasonNoField, absent(name)
		if len(t.subjects) == 1 {
			v.Reason = "no_" + t.subjects[0]
		}
		return
	}
	v.Reason, v.Err = reasonError, err
}

// missed is the reason where a field is missing. A name that the expression computes may be of a
// stranger's making, so it is none.
func (t *term) missed(m *missing) string {
	named := slices.Contains(t.subjects, m.code)
	switch {
	case m.err == nil && named:
		return "no_" + m.code
	case m.err == nil:
		return reasonNoField
	case named:
		return "bad_" + m.code
	}
	return reasonBad
}

// reasons returns what decide may write.
func (t *term) reasons() []string {
	out := []string{t.reason, reasonNoField, reasonBad}
	for _, s := range t.subjects {
		out = append(out, "no_"+s, "bad_"+s)
	}
	if t.forks {
		for _, r := range forks.Reasons {
			out = append(out, nameFork+"_"+r)
		}
	}
	return out
}

func sortedKeys(m map[string]bool) []string { return slices.Sorted(maps.Keys(m)) }

package expr

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// linter looks for what the type checker cannot see: text that is written where only some text can
// ever match.
type linter struct {
	ast      *ast.AST
	settings *settings
	problems []Problem
	patterns int // instructions of those seen
}

func (c *linter) report(e ast.Expr, format string, args ...any) {
	if len(c.problems) == maxProblems {
		return
	}
	at := c.ast.SourceInfo().GetStartLocation(e.ID())
	c.problems = append(c.problems, Problem{at.Line(), at.Column() + 1, fmt.Sprintf(format, args...)})
}

// lint returns what is wrong with an expression that has the right types.
func (s *settings) lint(checked *cel.Ast) []Problem {
	c := &linter{ast: checked.NativeRep(), settings: s}
	ast.PreOrderVisit(c.ast.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() == ast.CallKind {
			c.call(e.AsCall())
		}
	}))
	return c.problems
}

func (c *linter) call(call ast.CallExpr) {
	switch name := call.FunctionName(); name {
	case nameFork:
		c.network(call.Args()[0])
	case nameIn:
		for _, e := range literals(call.Args()[0]) {
			if _, err := networksOf(e.AsLiteral()); err != nil {
				c.report(e, "%v", err)
			}
		}
	case "matches":
		c.pattern(call.Args()[len(call.Args())-1])
	case operators.Equals, operators.NotEquals, operators.In:
		a := call.Args()
		c.compared(a[0], a[1])
		c.compared(a[1], a[0])
	}
}

func (c *linter) network(arg ast.Expr) {
	name, ok := literal[types.String](arg)
	if !ok {
		c.report(arg, "the network of fork() must be written out, in quotes")
		return
	}
	if _, ok := c.settings.schedules.Network(string(name)); ok {
		return
	}
	names := c.settings.schedules.Names()
	hint := "there are " + strings.Join(names, ", ")
	if n := nearest(string(name), names); n != "" {
		hint = fmt.Sprintf("did you mean %q?", n)
	}
	c.report(arg, "no schedule of a network %+q; %s", clip(string(name)), hint)
}

// maxPatternText bounds one regular expression, in bytes.
const maxPatternText = 256

// pattern bounds a regular expression: its time grows with the instructions that it is compiled to.
func (c *linter) pattern(arg ast.Expr) {
	text, ok := literal[types.String](arg)
	if !ok {
		c.report(arg, "the pattern of matches must be written out, in quotes")
		return
	}
	if len(text) > maxPatternText {
		c.report(arg, "the pattern has %d bytes, at most %d are allowed", len(text), maxPatternText)
		return
	}
	parsed, err := syntax.Parse(string(text), syntax.Perl)
	if err != nil {
		c.report(arg, "%v", err)
		return
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		c.report(arg, "%v", err)
		return
	}
	if c.patterns += len(program.Inst); c.patterns > maxPattern {
		c.report(arg, "the pattern is too large: it and those before need more than %d instructions", maxPattern)
	}
}

var tag = regexp.MustCompile(`^0x[0-9a-f]{8}$`)

// tags are members that show four bytes, by type and name.
var tags = map[string]bool{
	"Eth2.fork_digest": true, "Eth2.next_fork_version": true, "ForkID.hash": true,
	"Enr.nfd": true, "Enr.domaintype": true, "Enr.next_domaintype": true,
}

// compared checks text that a member which shows four bytes is compared with.
func (c *linter) compared(with, text ast.Expr) {
	if with.Kind() != ast.SelectKind {
		return
	}
	of := c.ast.GetType(with.AsSelect().Operand().ID())
	name := with.AsSelect().FieldName()
	if of == nil || !tags[of.TypeName()+"."+name] {
		return
	}
	for _, e := range literals(text) {
		s, ok := literal[types.String](e)
		if !ok || tag.MatchString(string(s)) {
			continue
		}
		hint := `write "0x" and 8 hex digits`
		if lower := "0x" + strings.TrimPrefix(strings.ToLower(string(s)), "0x"); tag.MatchString(lower) {
			hint = fmt.Sprintf("write %q", lower)
		}
		c.report(e, "%+q never equals %s; %s", clip(string(s)), name, hint)
	}
}

// literals returns e, or its elements if it is a list, as far as they are literals.
func literals(e ast.Expr) []ast.Expr {
	out := []ast.Expr{e}
	if e.Kind() == ast.ListKind {
		out = slices.Clone(e.AsList().Elements())
	}
	return slices.DeleteFunc(out, func(e ast.Expr) bool { return e.Kind() != ast.LiteralKind })
}

func literal[T ref.Val](e ast.Expr) (v T, ok bool) {
	if e.Kind() != ast.LiteralKind {
		return v, false
	}
	v, ok = e.AsLiteral().(T)
	return v, ok
}

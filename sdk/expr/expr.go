package expr

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"github.com/discv5/host/sdk/forks"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// Program is a compiled expression. It does not change and may be used concurrently.
type Program struct {
	text     string
	terms    []*term
	settings *settings
}

// settings are what the options of Compile set.
type settings struct {
	schedules *forks.Schedules
	now       func() time.Time
	self      enode.ID
	selfKnown bool
}

// Option changes what an expression refers to.
type Option func(*settings)

// WithSchedules sets the schedules that fork() knows; without it, forks.Default().
func WithSchedules(s *forks.Schedules) Option { return func(o *settings) { o.schedules = s } }

// WithClock sets the time that fork() compares with; without it, time.Now.
func WithClock(now func() time.Time) Option { return func(o *settings) { o.now = now } }

// WithSelf sets the own node, which node.distance is measured to; without it, that is absent.
func WithSelf(id enode.ID) Option {
	return func(o *settings) { o.self, o.selfKnown = id, true }
}

// Compile reads an expression. The error is an *Error with all mistakes and where they are: in the
// grammar, in types, in text that can never match, or that an evaluation may cost too much.
func Compile(text string, options ...Option) (p *Program, err error) {
	defer func() {
		// Expressions come from people, and from those who may ask the API: a mistake of CEL must not end the process.
		if failure := recover(); failure != nil {
			p, err = nil, problem(1, 1, "the expression cannot be compiled: %.200q", fmt.Sprint(failure))
		}
	}()
	s := &settings{now: time.Now}
	for _, set := range options {
		set(s)
	}
	if s.schedules == nil {
		s.schedules = forks.Default()
	}
	if err := checkText(text); err != nil {
		return nil, err
	}
	env, err := environment()
	if err != nil {
		return nil, err
	}
	checked, issues := env.Compile(toCEL(text))
	if issues.Err() != nil {
		return nil, s.explain(text, issues)
	}
	if out := checked.OutputType(); !out.IsExactType(types.BoolType) {
		return nil, problem(1, 1, "the expression is %s, want true or false", typeName(out))
	}
	if problems := s.lint(checked); len(problems) > 0 {
		return nil, &Error{problems}
	}
	cost, err := env.EstimateCost(checked, estimator{objectIndex()})
	if err != nil {
		return nil, problem(1, 1, "the cost of the expression cannot be estimated: %v", err)
	}
	if cost.Max > maxEstimate {
		return nil, problem(1, 1, "an evaluation may take %d steps, at most %d are allowed; use fewer loops, or none in loops", cost.Max, maxEstimate)
	}
	p = &Program{text: text, settings: s}
	if p.terms, err = s.terms(env, checked); err != nil {
		return nil, err
	}
	return p, nil
}

// loops are what CEL makes long of.
var loops = regexp.MustCompile(`\.\s*(?:all|exists|exists_one|filter|map)\s*\(`)

func checkText(text string) error {
	switch {
	case strings.TrimSpace(text) == "":
		return problem(1, 1, "the expression is empty; write true to accept every record")
	case len(text) > maxLength:
		return problem(1, 1, "the expression has %d bytes, at most %d are allowed", len(text), maxLength)
	case len(loops.FindAllString(text, maxMacros+1)) > maxMacros:
		return problem(1, 1, "the expression has more than %d loops", maxMacros)
	case !utf8.ValidString(text):
		return problem(1, 1, "the expression is not text in UTF-8")
	}
	return nil
}

// String returns the text of the expression.
func (p *Program) String() string { return p.text }

// Match reports whether the expression is true of a node. What cannot be evaluated is false.
func (p *Program) Match(n *enode.Node) bool { return p.Decide(n).Match }

// Eval evaluates the expression of a node. The reason says why it is not true, with a word of
// Reasons. The error says why it could not be evaluated at all, and is nil for fields that are
// absent or cannot be decoded: those decide.
func (p *Program) Eval(n *enode.Node) (match bool, reason string, err error) {
	v := p.Decide(n)
	return v.Match, v.Reason, v.Err
}

// Verdict is the outcome of an evaluation.
type Verdict struct {
	Match  bool
	Reason string    // why not: a short code, of the few of Reasons; "" if it matches
	Until  time.Time // when fork() may change the outcome; zero: never
	Err    error     // why it could not be evaluated
	Detail error     // which field is absent or cannot be decoded, and how, if that decided
}

// Decide evaluates the expression of a node.
func (p *Program) Decide(n *enode.Node) Verdict {
	r := newRecord(n, p.settings)
	defer r.free()
	v := Verdict{Match: true}
	for _, t := range p.terms {
		t.decide(r, &v)
		if !v.Match {
			break
		}
	}
	v.Until = r.until
	return v
}

// Reasons returns all words that the expression may give as a reason, sorted.
func (p *Program) Reasons() []string {
	all := map[string]bool{reasonError: true}
	for _, t := range p.terms {
		for _, r := range t.reasons() {
			all[r] = true
		}
	}
	return sortedKeys(all)
}

// UsesForks reports whether the outcome depends on the time and on the schedules.
func (p *Program) UsesForks() bool {
	for _, t := range p.terms {
		if t.forks {
			return true
		}
	}
	return false
}

// UsesDistance reports whether the expression asks for node.distance, which needs WithSelf.
func (p *Program) UsesDistance() bool {
	for _, t := range p.terms {
		if t.distance {
			return true
		}
	}
	return false
}

// Term is one operand of the outermost "&&" of an expression, all of which must be true.
type Term struct {
	Text         string // as it was understood
	Line, Column int    // where it begins, from 1
	Verdict
}

// Explain evaluates every term of the expression of a node, the false ones too.
func (p *Program) Explain(n *enode.Node) []Term {
	out := make([]Term, len(p.terms))
	for i, t := range p.terms {
		r := newRecord(n, p.settings)
		v := Verdict{Match: true}
		t.decide(r, &v)
		v.Until = r.until
		r.free()
		out[i] = Term{t.text, t.line, t.column, v}
	}
	return out
}

// programOptions are those of every term.
func (s *settings) programOptions(loops bool) []cel.ProgramOption {
	options := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize), cel.CustomDecoratorV2(s.constants)}
	if loops {
		// Without a loop, the text of an expression bounds its cost.
		options = append(options, cel.CostLimit(maxCost))
	}
	return options
}

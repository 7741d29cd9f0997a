package expr

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// What CEL says about names that there are not.
var (
	unknownName   = regexp.MustCompile(`^undeclared reference to '([^']*)'`)
	unknownMember = regexp.MustCompile(`^undefined field '([^']*)'`)
	unexpected    = regexp.MustCompile(`^(?:mismatched|extraneous) input '(.*?)' expecting`)
	noOverload    = regexp.MustCompile(`^found no matching overload for '([^']*)' applied to '(.*)'$`)
	noToken       = regexp.MustCompile(`^Syntax error: token recognition error at: '(.*)'$`)
	wordNot       = regexp.MustCompile(`(?:^|\W)not\s*$`)
)

// explain turns what CEL found into problems in the words of this language.
func (s *settings) explain(text string, issues *cel.Issues) *Error {
	out := new(Error)
	lines := strings.Split(text, "\n")
	strange := false // a character that is none of the language: what the parser found after it says nothing new
	for _, e := range issues.Errors() {
		if noToken.MatchString(e.Message) {
			strange = true
		} else if strange && strings.HasPrefix(e.Message, "Syntax error: ") {
			continue
		}
		p := Problem{Line: max(e.Location.Line(), 1), Column: max(e.Location.Column(), 0) + 1, Message: reword(e.Message)}
		p.Column = nameColumn(lines, p, e.Message)
		if unexpected.MatchString(strings.TrimPrefix(e.Message, "Syntax error: ")) && wordNot.MatchString(before(lines, p)) {
			p.Message += "; write ! in place of not"
		}
		if len(out.Problems) < maxProblems {
			out.Problems = append(out.Problems, p)
		}
	}
	if len(out.Problems) == 0 {
		out.Problems = []Problem{{1, 1, reword(issues.Err().Error())}}
	}
	return out
}

// before returns what stands on the line before a problem.
func before(lines []string, p Problem) string {
	if p.Line > len(lines) {
		return ""
	}
	line := []rune(lines[p.Line-1])
	return string(line[:min(len(line), p.Column-1)])
}

// nameColumn returns where a name stands that CEL does not know: CEL tells the dot before it or the
// parenthesis behind it.
func nameColumn(lines []string, p Problem, message string) int {
	name := ""
	if m := unknownName.FindStringSubmatch(message); m != nil {
		name = shown(m[1])
	} else if m := unknownMember.FindStringSubmatch(message); m != nil {
		name = shown(m[1])
	}
	if name == "" || p.Line > len(lines) {
		return p.Column
	}
	line, width := []rune(lines[p.Line-1]), len([]rune(name))
	for _, column := range []int{p.Column, p.Column + 1, p.Column - width} {
		if column >= 1 && column-1+width <= len(line) && string(line[column-1:column-1+width]) == name {
			return column
		}
	}
	return p.Column
}

// maxProblems bounds how many mistakes are told at once.
const maxProblems = 8

func reword(message string) string {
	message = strings.Join(strings.Fields(message), " ")
	switch {
	case unknownName.MatchString(message):
		name := unknownName.FindStringSubmatch(message)[1]
		return fmt.Sprintf("there is no %q%s", shown(name), instead(name))
	case unknownMember.MatchString(message):
		name := unknownMember.FindStringSubmatch(message)[1]
		return fmt.Sprintf("there is no member %q%s", shown(name), suggestion(name, memberNames()))
	case noOverload.MatchString(message):
		m := noOverload.FindStringSubmatch(message)
		return fmt.Sprintf("%s does not go with %s", operatorName(m[1]), m[2])
	}
	if found := noToken.FindStringSubmatch(message); found != nil {
		return strangeToken(strings.TrimSpace(found[1]))
	}
	message = strings.TrimPrefix(message, "Syntax error: ")
	if found := unexpected.FindStringSubmatch(message); found != nil {
		if found[1] == "<EOF>" {
			return "the expression ends too early"
		}
		word := strings.Trim(found[1], "'")
		return fmt.Sprintf("%q is not expected here%s", word, map[string]string{"and": "; write &&", "or": "; write ||"}[word])
	}
	if message == "invalid argument to has() macro" {
		return `has() takes a key in quotes, as in has("eth2"), or a field, as in has(enr.eth2)`
	}
	if strings.HasPrefix(message, "comprehension exceeds nesting limit") {
		return fmt.Sprintf("loops such as exists() stand more than %d deep in each other", maxLoops)
	}
	return strings.ReplaceAll(message, "'"+nameIn+"'", "'in'")
}

// strangeToken says what is wrong with characters that are none of the language.
func strangeToken(s string) string {
	advice := ""
	switch {
	case strings.HasPrefix(s, `"`), strings.HasPrefix(s, "'"):
		return "this text has no closing quote"
	case strings.HasPrefix(s, "=>"):
		advice = "; write >="
	case strings.HasPrefix(s, "="):
		advice = "; write == to compare"
	case strings.HasPrefix(s, "&"):
		advice = "; write &&"
	case strings.HasPrefix(s, "|"):
		advice = "; write ||"
	case strings.ContainsAny(s, "“”„‘’«»"):
		advice = `; quotes are " or '`
	}
	return fmt.Sprintf("%q is not expected here%s", clip(s), advice)
}

// instead says what to write in place of a name that there is not.
func instead(name string) string {
	switch {
	case enrType.index[name] != nil:
		return fmt.Sprintf("; did you mean %q?", "enr."+name)
	case slices.Contains(memberNames(), name):
		return "; a member stands behind a dot, without parentheses"
	}
	return suggestion(name, names())
}

func shown(name string) string {
	if name == nameIn {
		return "in"
	}
	return clip(name)
}

// operatorName shows '_==_' as "==".
func operatorName(s string) string {
	switch s {
	case nameIn:
		return "in"
	case operators.Index:
		return "[ ]"
	case operators.Conditional:
		return "? :"
	}
	return strings.Trim(s, "_@")
}

func suggestion(name string, candidates []string) string {
	if n := nearest(name, candidates); n != "" && n != name {
		return fmt.Sprintf("; did you mean %q?", n)
	}
	return ""
}

// names are those of variables and functions.
func names() []string {
	out := []string{"in", nameHas, nameAny, nameEvery, nameAtLeast, nameCustody, nameFork, nameAccepts, namePrepared, "size", "contains", "startsWith", "endsWith", "matches"}
	for _, v := range variables {
		out = append(out, v.name)
	}
	return out
}

func memberNames() []string {
	var out []string
	for _, o := range objects {
		for _, m := range o.members {
			out = append(out, m.name)
		}
	}
	return out
}

// typeName says what a type is, for people.
func typeName(t *types.Type) string {
	switch t.Kind() {
	case types.StringKind:
		return "text"
	case types.IntKind:
		return "a number"
	case types.ListKind:
		return "a list"
	case types.BytesKind:
		return "bytes"
	}
	return "a value of type " + cel.FormatCELType(t)
}

package expr

import (
	"fmt"
	"regexp"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
)

// What CEL says about names that there are not.
var (
	unknownName   = regexp.MustCompile(`^undeclared reference to '([^']*)'`)
	unknownMember = regexp.MustCompile(`^undefined field '([^']*)'`)
	unexpected    = regexp.MustCompile(`^(?:mismatched|extraneous) input '(.*?)' expecting`)
	noOverload    = regexp.MustCompile(`^found no matching overload for '([^']*)' applied to '(.*)'$`)
)

// explain turns what CEL found into problems in the words of this language.
func (s *settings) explain(text string, issues *cel.Issues) *Error {
	out := new(Error)
	lines := strings.Split(text, "\n")
	for _, e := range issues.Errors() {
		p := Problem{Line: max(e.Location.Line(), 1), Column: max(e.Location.Column(), 0) + 1, Message: reword(e.Message)}
		p.Column = nameColumn(lines, p, e.Message)
		if len(out.Problems) < maxProblems {
			out.Problems = append(out.Problems, p)
		}
	}
	if len(out.Problems) == 0 {
		out.Problems = []Problem{{1, 1, reword(issues.Err().Error())}}
	}
	return out
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
		return fmt.Sprintf("there is no %q%s", shown(name), suggestion(name, names()))
	case unknownMember.MatchString(message):
		name := unknownMember.FindStringSubmatch(message)[1]
		return fmt.Sprintf("there is no member %q%s", shown(name), suggestion(name, memberNames()))
	case noOverload.MatchString(message):
		m := noOverload.FindStringSubmatch(message)
		return fmt.Sprintf("%s does not go with %s", operatorName(m[1]), m[2])
	}
	message = strings.TrimPrefix(message, "Syntax error: ")
	if found := unexpected.FindStringSubmatch(message); found != nil {
		if found[1] == "<EOF>" {
			return "the expression ends too early"
		}
		return fmt.Sprintf("%q is not expected here", strings.Trim(found[1], "'"))
	}
	if strings.HasPrefix(message, "comprehension exceeds nesting limit") {
		return fmt.Sprintf("loops such as exists() stand more than %d deep in each other", maxLoops)
	}
	return strings.ReplaceAll(message, "'"+nameIn+"'", "'in'")
}

func shown(name string) string {
	if name == nameIn {
		return "in"
	}
	return clip(name)
}

// operatorName shows '_==_' as "==".
func operatorName(s string) string {
	if s == nameIn {
		return "in"
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

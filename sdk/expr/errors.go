package expr

import (
	"fmt"
	"strings"
)

// Error says why text is no expression: all that was found, in the order of the text.
type Error struct {
	Problems []Problem // at least one
}

// Problem is one mistake in an expression.
type Problem struct {
	Line, Column int    // from 1; the column counts characters
	Message      string // what is wrong and what to write; one line
}

// Error returns the problems as "line:column: message", with "; " between them.
func (e *Error) Error() string {
	parts := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		parts[i] = p.String()
	}
	return strings.Join(parts, "; ")
}

// String returns the problem as "line:column: message".
func (p Problem) String() string { return fmt.Sprintf("%d:%d: %s", p.Line, p.Column, p.Message) }

func problem(line, column int, format string, args ...any) *Error {
	return &Error{[]Problem{{line, column, fmt.Sprintf(format, args...)}}}
}

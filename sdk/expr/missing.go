package expr

import (
	"errors"
	"strconv"

	"github.com/discv5/host/sdk/fields"
)

// missing says that something an expression reads is not there. It decides the expression, unless
// another operand of && or || does.
type missing struct {
	name string // of the field
	code string // that name in a reason
	err  error  // why it cannot be decoded; nil if it is absent
}

func absent(name string) *missing { return &missing{name, code(name), nil} }

func damaged(name string, err error) *missing { return &missing{name, code(name), err} }

// missed turns an error of package fields into one of expressions; gone is that of an absent field.
func missed(gone *missing, err error) *missing {
	if errors.Is(err, fields.ErrAbsent) {
		return gone
	}
	return damaged(gone.name, err)
}

// Error says what is missing.
func (m *missing) Error() string {
	if m.err != nil {
		return m.err.Error()
	}
	return shownName(m.name) + " is absent"
}

// shownName is a name as it is if it is a plain word; it may be of a stranger's making.
func shownName(name string) string {
	for _, c := range []byte(name) {
		if c <= ' ' || c >= 0x7f {
			return strconv.QuoteToASCII(name)
		}
	}
	return name
}

// Unwrap returns why a field cannot be decoded.
func (m *missing) Unwrap() error { return m.err }

// maxCode bounds the part of a reason that names a field, so that a word before it still fits
// into the 32 bytes of a reason.
const maxCode = 24

// code writes a name with the characters of reasons.
func code(name string) string {
	out := []byte(name[:min(len(name), maxCode)])
	for i, c := range out {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		case c >= 'A' && c <= 'Z':
			out[i] = c - 'A' + 'a'
		default:
			out[i] = '_'
		}
	}
	return string(out)
}

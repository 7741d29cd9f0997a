package fields

import (
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
)

// ErrAbsent is what Load returns, wrapped with the key, when a record has no such field.
var ErrAbsent = errors.New("field absent")

// Problem classifies why a field that is present cannot be decoded. The strings are stable
// and few, so that they serve as metric labels and JSON values.
type Problem string

// The kinds of damage that a field can have.
const (
	ProblemRLP    Problem = "rlp"    // the value is not well-formed RLP
	ProblemKind   Problem = "kind"   // an RLP string where a list belongs, or the reverse
	ProblemLength Problem = "length" // too few or too many bytes or elements
	ProblemValue  Problem = "value"  // well formed, but outside what the field's specification allows
)

// DecodeError says why one field of a record cannot be used. The rest of the record is
// unaffected: whoever reads fields treats a damaged one as absent, for the reason given.
type DecodeError struct {
	Key     string  // the ENR key
	Problem Problem // the class of damage
	Detail  string  // what was found and what belongs there; ASCII, safe to print
}

// Error returns key, class and detail on one line.
func (e *DecodeError) Error() string {
	return fmt.Sprintf("field %s: bad %s: %s", display(e.Key), e.Problem, e.Detail)
}

// bad builds a DecodeError. Text of strangers goes through %+q or %x only.
func bad(key string, p Problem, format string, args ...any) *DecodeError {
	return &DecodeError{Key: key, Problem: p, Detail: fmt.Sprintf(format, args...)}
}

// loadError turns what enr.Record.Load returned into ErrAbsent or a *DecodeError.
func loadError(key string, err error) error {
	if err == nil {
		return nil
	}
	if enr.IsNotFound(err) {
		return fmt.Errorf("%w: %s", ErrAbsent, display(key))
	}
	var de *DecodeError
	if errors.As(err, &de) {
		return de
	}
	return rlpError(key, err)
}

// rlpError classifies an error of go-ethereum's RLP decoder.
func rlpError(key string, err error) *DecodeError {
	var ke *enr.KeyError
	if errors.As(err, &ke) {
		err = ke.Err
	}
	p := ProblemRLP
	if errors.Is(err, rlp.ErrExpectedList) || errors.Is(err, rlp.ErrExpectedString) {
		p = ProblemKind
	}
	return bad(key, p, "%s", err)
}

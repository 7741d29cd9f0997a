package record

import (
	"errors"
	"fmt"
	"strings"
)

// What callers can tell apart with errors.Is. Those of fields come as *FieldOwnedError and *TooLargeError.
var (
	ErrBadKey       = errors.New("record: the private key is not one of secp256k1")
	ErrKeyMismatch  = errors.New("record: the file holds the record of another key")
	ErrDamaged      = errors.New("record: the file holds no valid record")
	ErrReserved     = errors.New("record: the field is reserved")
	ErrFieldOwned   = errors.New("record: the field has another owner")
	ErrBadValue     = errors.New("record: the value is not valid for the field")
	ErrBadOwner     = errors.New("record: a change needs an owner, and not a reserved one")
	ErrTooLarge     = errors.New("record: too large")
	ErrSeqExhausted = errors.New("record: the sequence number cannot grow any more")
	ErrNotSaved     = errors.New("record: the new record could not be saved and is not published")
)

// FieldOwnedError says whose field somebody else tried to change. It is an ErrFieldOwned.
type FieldOwnedError struct {
	Key   string
	Owner string // who owns it
	Asked string // who wanted it
}

func (e *FieldOwnedError) Error() string {
	return fmt.Sprintf("record: field %q of %q belongs to %q", e.Key, e.Asked, e.Owner)
}

// Unwrap is ErrFieldOwned.
func (e *FieldOwnedError) Unwrap() error { return ErrFieldOwned }

// TooLargeError says how large a record would become, and whose fields take how much of it. It is an ErrTooLarge.
type TooLargeError struct {
	Size   int // bytes the record would have
	Max    int // bytes it may have
	Owners []OwnerSize
}

func (e *TooLargeError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "record: %d bytes, at most %d fit", e.Size, e.Max)
	for i, o := range e.Owners {
		sep := ", "
		if i == 0 {
			sep = ": "
		}
		fmt.Fprintf(&b, "%s%q has %d", sep, o.Owner, o.Size)
	}
	return b.String()
}

// Unwrap is ErrTooLarge.
func (e *TooLargeError) Unwrap() error { return ErrTooLarge }

package link

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Errors of this package. Compare with errors.Is.
var (
	// ErrClosed says that the link was closed from this side.
	ErrClosed = errors.New("link: closed")
	// ErrRefused says that trying again is of no use: the plugin refuses the configuration, does not serve what it should, or
	// describes itself in a way that makes no sense.
	ErrRefused = errors.New("refused")
	// ErrFailed says that the plugin did not do what it was asked, this time.
	ErrFailed = errors.New("failed")
	// ErrInvalid says that what the plugin sent breaks the contract. It is an ErrFailed.
	ErrInvalid = errors.New("invalid answer")
	// ErrBusy says that an earlier batch has not been answered yet.
	ErrBusy = errors.New("an earlier batch has no answer yet")
)

// LinkError is what went wrong in an exchange with a plugin: an ErrRefused or an ErrFailed. Its text is safe to print.
type LinkError struct {
	Op      string // what we were doing
	Refused bool   // trying again is of no use
	Message string // what the plugin said
	Err     error  // what else there is to tell apart; nil: nothing
}

func (e *LinkError) Error() string {
	switch {
	case e.Message != "":
		return fmt.Sprintf("%s: %q", e.Op, e.Message)
	case e.Err != nil:
		return fmt.Sprintf("%s: %v", e.Op, e.Err)
	}
	return e.Op
}

// Is tells ErrRefused from ErrFailed.
func (e *LinkError) Is(target error) bool {
	return target == ErrRefused && e.Refused || target == ErrFailed && !e.Refused
}

// Unwrap returns Err.
func (e *LinkError) Unwrap() error { return e.Err }

// controlError makes a LinkError of what gRPC says.
func controlError(op string, err error) error {
	if err == nil {
		return nil
	}
	e := &LinkError{Op: op}
	switch code := status.Code(err); {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		e.Err = err
	case code == codes.DeadlineExceeded:
		e.Err = context.DeadlineExceeded
	case code == codes.Canceled:
		e.Err = context.Canceled
	default:
		s, _ := status.FromError(err)
		e.Refused = code == codes.InvalidArgument || code == codes.Unimplemented
		if e.Message = clean(s.Message(), maxMessageText); e.Message == "" {
			e.Err = errors.New(code.String())
		}
	}
	return e
}

package sdk

import (
	"context"
	"errors"

	"github.com/discv5/host/sdk/pluginpb"
)

// Why a host call failed, for errors.Is. The errors that calls return wrap one of these, or the context's error.
var (
	ErrTimeout     = errors.New("no answer in time")
	ErrNotGranted  = errors.New("not granted by the configuration") // add the grant to the plugin's block in config.hcl
	ErrExhausted   = errors.New("too many calls open")              // try again when some have returned
	ErrTooLarge    = errors.New("too large")                        // a payload, value, batch or record would exceed its bound
	ErrInvalid     = errors.New("invalid call")
	ErrNotFound    = errors.New("not found")                           // no such node or key
	ErrNoAddress   = errors.New("no endpoint that the host can reach") // in the node's record
	ErrNoRecord    = errors.New("no session and no record to start one with")
	ErrOwned       = errors.New("record field belongs to somebody else") // to the operator or to another plugin
	ErrBanned      = errors.New("node is banned")
	ErrUnavailable = errors.New("host unavailable") // it stops, its store is down, its socket fails; or it is gone
)

// CallError is a host call that failed. errors.Is finds the reason, one of the errors of this package or of package context.
type CallError struct {
	Call    string // what was called: "ping"
	Reason  error  // ErrTimeout, …; nil: something else
	Message string // what the host said, for people; may be empty
}

// Error says what failed and why, in one line.
func (e *CallError) Error() string {
	text := "host call " + e.Call
	if e.Reason != nil {
		text += ": " + e.Reason.Error()
	}
	if e.Message != "" {
		text += ": " + e.Message
	}
	return text
}

// Unwrap returns the reason.
func (e *CallError) Unwrap() error { return e.Reason }

func callReason(code pluginpb.CallCode) error {
	switch code {
	case pluginpb.CallCode_CALL_CODE_TIMEOUT:
		return ErrTimeout
	case pluginpb.CallCode_CALL_CODE_NOT_GRANTED:
		return ErrNotGranted
	case pluginpb.CallCode_CALL_CODE_EXHAUSTED:
		return ErrExhausted
	case pluginpb.CallCode_CALL_CODE_TOO_LARGE:
		return ErrTooLarge
	case pluginpb.CallCode_CALL_CODE_INVALID:
		return ErrInvalid
	case pluginpb.CallCode_CALL_CODE_NOT_FOUND:
		return ErrNotFound
	case pluginpb.CallCode_CALL_CODE_NO_ADDRESS:
		return ErrNoAddress
	case pluginpb.CallCode_CALL_CODE_NO_RECORD:
		return ErrNoRecord
	case pluginpb.CallCode_CALL_CODE_OWNED:
		return ErrOwned
	case pluginpb.CallCode_CALL_CODE_BANNED:
		return ErrBanned
	case pluginpb.CallCode_CALL_CODE_UNAVAILABLE:
		return ErrUnavailable
	case pluginpb.CallCode_CALL_CODE_CANCELLED:
		return context.Canceled
	}
	return nil
}

// Degraded marks an error that Health returns: the plugin works, but an operator should look. Degraded(nil) is nil.
func Degraded(err error) error {
	if err == nil {
		return nil
	}
	return &degradedError{err}
}

type degradedError struct{ err error }

func (e *degradedError) Error() string { return e.err.Error() }
func (e *degradedError) Unwrap() error { return e.err }

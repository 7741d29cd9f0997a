package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/core"
	"github.com/discv5/host/plugins"
)

// Codes of errors. Those from -32700 to -32600 are of JSON-RPC 2.0, the others are in the range left to servers, with the meaning
// that EIP-1474 gives them.
const (
	CodeParse          = -32700 // it is not JSON
	CodeInvalidRequest = -32600 // it is no request
	CodeNoMethod       = -32601
	CodeInvalidParams  = -32602
	CodeInternal       = -32603
	CodeFailed         = -32000 // the call was made and did not succeed
	CodeNotFound       = -32001
	CodeUnavailable    = -32002 // no answer in time, or the host is ending
	CodeLimit          = -32005 // too many calls, or too large
)

// Error is what a server says in place of a result.
type Error struct {
	Code    int        `json:"code"`
	Message string     `json:"message"`
	Data    *ErrorData `json:"data,omitempty"`
}

// ErrorData says more about an error.
type ErrorData struct {
	Reason string `json:"reason,omitempty"` // a word for programs, like timeout
	Hint   string `json:"hint,omitempty"`

	// Other is what a plugin says in place of them about an error of its own, in JSON; nil: nothing.
	Other json.RawMessage `json:"-"`
}

// MarshalJSON writes Other, or an object of reason and hint.
func (d ErrorData) MarshalJSON() ([]byte, error) {
	if d.Other != nil {
		return d.Other, nil
	}
	type plain ErrorData
	return json.Marshal(plain(d))
}

// UnmarshalJSON reads any value: reason and hint if it is an object with no more than them, otherwise Other.
func (d *ErrorData) UnmarshalJSON(text []byte) error {
	type plain ErrorData
	var p plain
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if decoder.Decode(&p) != nil {
		p = plain{Other: bytes.Clone(text)}
	}
	*d = ErrorData(p)
	return nil
}

// Error is the message.
func (e *Error) Error() string { return e.Message }

// Hint is what to do about it; it may be empty.
func (e *Error) Hint() string {
	if e.Data == nil {
		return ""
	}
	return e.Data.Hint
}

func fail(code int, message, reason, advice string) *Error {
	e := &Error{Code: code, Message: message}
	if reason != "" || advice != "" {
		e.Data = &ErrorData{Reason: reason, Hint: advice}
	}
	return e
}

func invalid(message string) *Error { return fail(CodeInvalidParams, message, "invalid_params", "") }

// known are the errors with a code and a reason of their own; the first that fits counts.
var known = []struct {
	err    error
	code   int
	reason string
	hint   string
}{
	{core.ErrNotFound, CodeNotFound, "not_found", ""},
	{plugins.ErrNoMethod, CodeNoMethod, "unknown_method", "host_methods lists those that there are"},
	{plugins.ErrBusy, CodeLimit, "busy", "try again later"},
	{plugins.ErrUnknown, CodeNotFound, "unknown_plugin", "host_plugins lists them"},
	{core.ErrTimeout, CodeUnavailable, "timeout", "the node is gone, or UDP does not come through"},
	{context.DeadlineExceeded, CodeUnavailable, "timeout", ""},
	{context.Canceled, CodeUnavailable, "cancelled", ""},
	{core.ErrClosed, CodeUnavailable, "closed", ""},
	{plugins.ErrClosed, CodeUnavailable, "closed", ""},
	{plugins.ErrUnavailable, CodeUnavailable, "unavailable", ""},
	{plugins.ErrRestart, CodeFailed, "needs_restart", ""},
	{core.ErrBusy, CodeLimit, "busy", "try again later"},
	{core.ErrTooLarge, CodeLimit, "too_large", ""},
	{core.ErrRecordTooLarge, CodeLimit, "record_too_large", "host_fields shows who takes how much of the record"},
	{core.ErrFieldOwned, CodeFailed, "field_owned", "host_fields shows who owns what"},
	{core.ErrFieldReserved, CodeFailed, "field_reserved", "the node sets it by itself"},
	{core.ErrRecordNotSaved, CodeFailed, "record_not_saved", "is the disk full?"},
	{core.ErrBanned, CodeFailed, "banned", "host_banRemove ends a ban"},
	{core.ErrNoAddress, CodeFailed, "no_address", ""},
	{core.ErrNoRecord, CodeFailed, "no_record", ""},
	{core.ErrInvalidResponse, CodeFailed, "invalid_response", ""},
	{core.ErrSelf, CodeFailed, "self", ""},
}

// failure is an error in the terms of JSON-RPC.
func failure(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[*plugins.MethodError](err); ok {
		return pluginFailure(e)
	}
	advice := hint.Of(err)
	if advice == "" {
		advice = plugins.Hint(err)
	}
	for _, k := range known {
		if errors.Is(err, k.err) {
			if advice == "" {
				advice = k.hint
			}
			return fail(k.code, err.Error(), k.reason, advice)
		}
	}
	return fail(CodeFailed, err.Error(), "failed", advice)
}

package sdk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Codes of a [MethodError] that JSON-RPC has defined; a plugin's own are outside of -32768 to -32000.
const (
	CodeInvalidParams = -32602 // the parameters are not what the method takes
	CodeInternal      = -32603 // the plugin has failed
	CodeFailed        = -32000 // the method was called and did not succeed: the code of all other errors
)

// Bounds of methods.
const (
	maxMethods     = 64
	maxParams      = 16
	maxMethodBytes = 1 << 20  // of parameters, and of a result
	maxMethodData  = 64 << 10 // of what an error carries
	maxMethodText  = 2048     // of an error's message
)

// Method is something that operators can call by name.
type Method struct {
	Summary string // one sentence for people, at most 256 bytes

	// Params are the names of what it takes, in their order, at most 16; a question mark behind a name says that it may be left out. Callers
	// give them by place or by name.
	Params []string

	// Call does it. It runs on a goroutine of its own, up to 16 at a time. The result is shown as JSON, of at most 1 MiB. An error is
	// shown to the caller: a *MethodError with its code and data, any other with CodeFailed. ctx ends after 30 s, and before when
	// nobody waits any more.
	Call func(ctx context.Context, params *Params) (any, error)
}

// MethodError is an error of a method as JSON-RPC has it.
type MethodError struct {
	Code    int    // a number of 32 bits
	Message string // at most 2048 bytes
	Data    any    // shown as JSON, at most 64 KiB; nil: none
}

// Error is the message.
func (e *MethodError) Error() string { return e.Message }

// Params are the parameters of a call, in the order of [Method].Params. The zero value has none.
type Params struct {
	names  []string
	values []json.RawMessage // nil: left out
}

// Has tells whether the parameter at a place, from 0, was given.
func (p *Params) Has(i int) bool { return i >= 0 && i < len(p.values) && p.values[i] != nil }

// Decode reads the parameters into pointers, in their order, as package json does; what was left out stays as it is. There may be
// fewer pointers than parameters, and nil skips one. The error is fit to be returned by the method.
func (p *Params) Decode(into ...any) error {
	for i, v := range into {
		if v == nil || !p.Has(i) {
			continue
		}
		if err := json.Unmarshal(p.values[i], v); err != nil {
			return &MethodError{Code: CodeInvalidParams, Message: fmt.Sprintf("%s: %s", p.names[i], jsonProblem(err))}
		}
	}
	return nil
}

// jsonProblem says what is wrong with a value, without the names of Go's types where there are others.
func jsonProblem(err error) string {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Sprintf("a %s is not what it takes", wrong.Value)
	}
	return err.Error()
}

// readParams orders parameters that were given by place or by name. It refuses too many, too few and unknown ones.
func readParams(names []string, text []byte) (*Params, error) {
	p := &Params{values: make([]json.RawMessage, len(names))}
	optional := make([]bool, len(names))
	for i, name := range names {
		name, optional[i] = strings.CutSuffix(name, "?")
		p.names = append(p.names, name)
	}
	usage := "[" + strings.Join(names, ", ") + "]"
	bad := func(format string, args ...any) error {
		return &MethodError{Code: CodeInvalidParams, Message: fmt.Sprintf(format, args...) + "; it takes " + usage}
	}
	var byPlace []json.RawMessage
	var byName map[string]json.RawMessage
	switch text = bytes.TrimSpace(text); {
	case len(text) == 0 || string(text) == "null":
	case json.Unmarshal(text, &byPlace) == nil:
		if len(byPlace) > len(names) {
			return nil, bad("too many parameters: %d", len(byPlace))
		}
		copy(p.values, byPlace)
	case json.Unmarshal(text, &byName) == nil:
		for i, name := range p.names {
			p.values[i] = byName[name]
			delete(byName, name)
		}
		for name := range byName {
			return nil, bad("there is no parameter %q", clip(name, maxName))
		}
	default:
		return nil, bad("parameters are a list or an object")
	}
	for i := range names {
		if string(p.values[i]) == "null" {
			p.values[i] = nil
		}
		if p.values[i] == nil && !optional[i] {
			return nil, bad("%s is missing", p.names[i])
		}
	}
	return p, nil
}

var methodName = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9]*$`)

// checkMethods returns what is wrong with methods.
func checkMethods(methods map[string]Method) (errs []error) {
	if len(methods) > maxMethods {
		errs = append(errs, fmt.Errorf("there are %d Methods; there may be %d", len(methods), maxMethods))
	}
	for name, m := range methods {
		if len(name) > maxName || !methodName.MatchString(name) {
			errs = append(errs, fmt.Errorf("method %q: a name is letters and digits, a letter first, at most %d bytes", name, maxName))
		}
		if m.Call == nil {
			errs = append(errs, fmt.Errorf("method %q: Call is nil", name))
		}
		if len(m.Summary) > maxSummary {
			errs = append(errs, fmt.Errorf("method %q: Summary has %d bytes; it may have %d", name, len(m.Summary), maxSummary))
		}
		if len(m.Params) > maxParams {
			errs = append(errs, fmt.Errorf("method %q: there are %d Params; there may be %d", name, len(m.Params), maxParams))
		}
		seen := make(map[string]bool)
		for _, param := range m.Params {
			param = strings.TrimSuffix(param, "?")
			if len(param) > maxName-1 || !methodName.MatchString(param) || seen[param] {
				errs = append(errs, fmt.Errorf("method %q: %q is no name of a parameter, or is there twice", name, param))
			}
			seen[param] = true
		}
	}
	return errs
}

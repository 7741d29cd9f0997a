package link

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/discv5/host/sdk/pluginpb"
	"google.golang.org/grpc"
)

// Bounds of the methods of a plugin.
const (
	ListMethodsTimeout = 5 * time.Second
	MethodTimeout      = 30 * time.Second // of a call
	MaxMethodCalls     = 16               // that are open
	MaxMethodBytes     = 1 << 20          // of parameters, and of a result

	maxMethods       = 64
	maxMethodParams  = 16
	maxMethodData    = 64 << 10 // bytes of what an error carries
	codeMethodFailed = -32000
)

// Method is something that operators may call by name. Its text is safe to show.
type Method struct {
	Name    string // [a-zA-Z][a-zA-Z0-9]*
	Summary string
	Params  []string // a question mark behind a name: it may be left out
}

// MethodError is what a method says in place of a result. Its text is safe to show.
type MethodError struct {
	Code    int
	Message string
	Data    json.RawMessage // valid JSON; nil: none
}

// Error is the message.
func (e *MethodError) Error() string { return e.Message }

// Methods are the methods of a plugin. They may be called by several goroutines.
type Methods struct {
	conn grpc.ClientConnInterface
	list []Method
	open chan struct{} // has room for the calls that may be open
}

// OpenMethods asks a plugin for its methods. A list that makes no sense is an ErrRefused.
func OpenMethods(ctx context.Context, conn grpc.ClientConnInterface) (*Methods, error) {
	ctx, cancel := context.WithTimeout(ctx, ListMethodsTimeout)
	defer cancel()
	r, err := pluginpb.NewMethodsClient(conn).List(ctx, &pluginpb.ListMethodsRequest{})
	if err != nil {
		return nil, controlError("list methods", err)
	}
	bad := func(format string, args ...any) (*Methods, error) {
		return nil, &LinkError{Op: "list methods", Refused: true, Err: fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))}
	}
	if len(r.Methods) > maxMethods {
		return bad("%d methods", len(r.Methods))
	}
	m := &Methods{conn: conn, open: make(chan struct{}, MaxMethodCalls)}
	seen := make(map[string]bool)
	for _, x := range r.Methods {
		if !isMethodName(x.GetName()) || seen[x.GetName()] {
			return bad("%q is no name of a method, or is there twice", clean(x.GetName(), maxName))
		}
		seen[x.GetName()] = true
		method := Method{Name: x.GetName(), Summary: clean(x.GetSummary(), maxText)}
		if len(x.GetParams()) > maxMethodParams {
			return bad("method %q takes %d parameters", method.Name, len(x.GetParams()))
		}
		for _, p := range x.GetParams() {
			if !isMethodName(strings.TrimSuffix(p, "?")) {
				return bad("%q is no name of a parameter", clean(p, maxName))
			}
			method.Params = append(method.Params, p)
		}
		m.list = append(m.list, method)
	}
	return m, nil
}

// isMethodName tells whether s is [a-zA-Z][a-zA-Z0-9]*, of at most maxName bytes.
func isMethodName(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20 // a capital becomes a small letter, and no other byte one
		if (c < 'a' || c > 'z') && (i == 0 || s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return s != "" && len(s) <= maxName
}

// List returns the methods, in the plugin's order; it is not to be changed.
func (m *Methods) List() []Method { return m.list }

// Call calls a method and returns its result, which is valid JSON: until ctx ends, and for MethodTimeout at most. params are a
// list or an object as JSON, or empty. A *MethodError is what the method says; ErrBusy says that MaxMethodCalls are open; otherwise
// it is an ErrFailed.
func (m *Methods) Call(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error) {
	op := "method " + method
	if len(params) > MaxMethodBytes {
		return nil, &LinkError{Op: op, Err: fmt.Errorf("the parameters have %d bytes, and %d are the most", len(params), MaxMethodBytes)}
	}
	select {
	case m.open <- struct{}{}:
		defer func() { <-m.open }()
	default:
		return nil, &LinkError{Op: op, Err: fmt.Errorf("%w: %d calls of the plugin's methods are open", ErrBusy, MaxMethodCalls)}
	}
	ctx, cancel := context.WithTimeout(ctx, MethodTimeout)
	defer cancel()
	r, err := pluginpb.NewMethodsClient(m.conn).Call(ctx, &pluginpb.CallMethodRequest{Method: method, ParamsJson: params})
	if err != nil {
		return nil, controlError(op, err)
	}
	switch o := r.GetOutcome().(type) {
	case *pluginpb.CallMethodResponse_ResultJson:
		if n := len(o.ResultJson); n > MaxMethodBytes || !json.Valid(o.ResultJson) {
			return nil, &LinkError{Op: op, Err: fmt.Errorf("%w: a result of %d bytes that is too long or no JSON", ErrInvalid, n)}
		}
		return o.ResultJson, nil
	case *pluginpb.CallMethodResponse_Error:
		e := &MethodError{Code: int(o.Error.GetCode()), Message: clean(o.Error.GetMessage(), maxMessageText)}
		if e.Code == 0 {
			e.Code = codeMethodFailed
		}
		if data := o.Error.GetDataJson(); len(data) > 0 && len(data) <= maxMethodData && json.Valid(data) {
			e.Data = data
		}
		return nil, e
	}
	return nil, &LinkError{Op: op, Err: fmt.Errorf("%w: neither a result nor an error", ErrInvalid)}
}

// OpenCalls is how many calls are open.
func (m *Methods) OpenCalls() int { return len(m.open) }

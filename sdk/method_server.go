package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/discv5/host/sdk/pluginpb"
)

// methodServer serves the methods of a plugin.
type methodServer struct {
	pluginpb.UnimplementedMethodsServer
	in *instance
}

// List serves Methods.List.
func (s *methodServer) List(context.Context, *pluginpb.ListMethodsRequest) (*pluginpb.MethodList, error) {
	list := &pluginpb.MethodList{}
	for _, name := range slices.Sorted(maps.Keys(s.in.own.methods)) {
		m := s.in.own.methods[name]
		list.Methods = append(list.Methods, &pluginpb.Method{Name: name, Summary: valid(m.Summary), Params: m.Params})
	}
	return list, nil
}

// Call serves Methods.Call.
func (s *methodServer) Call(ctx context.Context, r *pluginpb.CallMethodRequest) (*pluginpb.CallMethodResponse, error) {
	if !s.in.serving() {
		return nil, errNotReady
	}
	result, err := s.call(ctx, r)
	if err == nil {
		return &pluginpb.CallMethodResponse{Outcome: &pluginpb.CallMethodResponse_ResultJson{ResultJson: result}}, nil
	}
	return &pluginpb.CallMethodResponse{Outcome: &pluginpb.CallMethodResponse_Error{Error: methodError(err)}}, nil
}

func (s *methodServer) call(ctx context.Context, r *pluginpb.CallMethodRequest) (result []byte, err error) {
	m, ok := s.in.own.methods[r.GetMethod()]
	if !ok {
		return nil, &MethodError{Code: codeNoMethod, Message: fmt.Sprintf("there is no method %q", clip(r.GetMethod(), maxName))}
	}
	params, err := readParams(m.Params, r.GetParamsJson())
	if err != nil {
		return nil, err
	}
	panicked := true
	guarded := s.in.guard("method "+r.GetMethod(), func() error {
		var v any
		if v, err = m.Call(ctx, params); err == nil {
			result, err = json.Marshal(v)
		}
		panicked = false
		return nil
	})
	switch {
	case panicked:
		return nil, &MethodError{Code: CodeInternal, Message: guarded.Error()}
	case err != nil:
		return nil, err
	case len(result) > maxMethodBytes:
		return nil, &MethodError{Code: CodeInternal, Message: fmt.Sprintf("the result has %d bytes, and %d are the most", len(result), maxMethodBytes)}
	}
	return result, nil
}

// codeNoMethod is JSON-RPC's for a method that there is not.
const codeNoMethod = -32601

// methodError is an error as it travels.
func methodError(err error) *pluginpb.MethodError {
	out := &pluginpb.MethodError{Code: CodeFailed, Message: clip(err.Error(), maxMethodText)}
	own, ok := errors.AsType[*MethodError](err)
	if !ok {
		return out
	}
	if out.Code = int32(own.Code); int(out.Code) != own.Code {
		out.Code = CodeFailed
	}
	if own.Data != nil {
		if data, err := json.Marshal(own.Data); err == nil && len(data) <= maxMethodData {
			out.DataJson = data
		}
	}
	return out
}

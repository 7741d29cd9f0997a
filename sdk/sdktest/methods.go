package sdktest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/discv5/host/sdk"
	"github.com/discv5/host/sdk/pluginpb"
)

// Bounds of methods.
const (
	methodTime     = 30 * time.Second
	maxMethods     = 64
	maxMethodParam = 16
	maxMethodBytes = 1 << 20
	noMethod       = -32601
)

var methodName = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9]{0,63}$`)

// Call calls a method of the plugin as an operator would through the host's JSON-RPC, and returns its result. params are a slice or a
// map, which become a list or an object; nil: none. What the method refuses is a *sdk.MethodError, whose Data is a json.RawMessage or nil.
func (p *Plugin) Call(method string, params any) (json.RawMessage, error) {
	var text []byte
	if params != nil {
		var err error
		if text, err = json.Marshal(params); err != nil {
			return nil, fmt.Errorf("parameters of %s: %w", method, err)
		}
	}
	return p.x.callMethod(method, text)
}

func (x *session) callMethod(method string, params []byte) (json.RawMessage, error) {
	if !x.serves(pluginpb.MethodsService) {
		return nil, errors.New("the plugin does not say that it serves methods")
	}
	ctx, cancel := context.WithTimeout(x.ctx, methodTime)
	defer cancel()
	r, err := pluginpb.NewMethodsClient(x.conn).Call(ctx, &pluginpb.CallMethodRequest{Method: method, ParamsJson: params})
	if err != nil {
		return nil, err
	}
	switch o := r.GetOutcome().(type) {
	case *pluginpb.CallMethodResponse_ResultJson:
		if len(o.ResultJson) > maxMethodBytes || !json.Valid(o.ResultJson) {
			return nil, fmt.Errorf("the result of %s has %d bytes, or is no JSON: %.100q", method, len(o.ResultJson), o.ResultJson)
		}
		return o.ResultJson, nil
	case *pluginpb.CallMethodResponse_Error:
		e := &sdk.MethodError{Code: int(o.Error.GetCode()), Message: o.Error.GetMessage()}
		if data := o.Error.GetDataJson(); len(data) > 0 {
			if !json.Valid(data) {
				return nil, fmt.Errorf("the data of an error of %s is no JSON: %.100q", method, data)
			}
			e.Data = json.RawMessage(data)
		}
		return nil, e
	}
	return nil, fmt.Errorf("%s answers with neither a result nor an error", method)
}

// methods checks the list of methods, and what is not on it.
func (s *suiteRun) methods(t T) {
	x := s.start(t)
	if !x.serves(pluginpb.MethodsService) {
		return // it has none
	}
	ctx, cancel := context.WithTimeout(x.ctx, describeTime)
	defer cancel()
	list, err := pluginpb.NewMethodsClient(x.conn).List(ctx, &pluginpb.ListMethodsRequest{})
	if err != nil {
		t.Fatalf("list methods: %v", err)
	}
	if n := len(list.GetMethods()); n > maxMethods {
		t.Errorf("%d methods; %d are the most", n, maxMethods)
	}
	seen := make(map[string]bool)
	for _, m := range list.GetMethods() {
		if !methodName.MatchString(m.GetName()) || seen[m.GetName()] {
			t.Errorf("the method %q does not match %s, or is there twice", m.GetName(), methodName)
		}
		seen[m.GetName()] = true
		if len(m.GetSummary()) > 256 || len(m.GetParams()) > maxMethodParam {
			t.Errorf("the method %q has a summary of %d bytes and %d parameters; 256 and %d are the most", m.GetName(), len(m.GetSummary()), len(m.GetParams()), maxMethodParam)
		}
	}
	_, err = x.callMethod("thereIsNoSuchMethod", []byte("[]"))
	if e, ok := errors.AsType[*sdk.MethodError](err); !ok || e.Code != noMethod {
		t.Errorf("a method that is not on the list must be an error with the code %d, and is: %v", noMethod, err)
	}
}

package sdk_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/discv5/host/sdk"
	"github.com/discv5/host/sdk/sdktest"
)

// counter is a plugin of which operators can ask something.
func counter() *sdk.TalkPlugin {
	return &sdk.TalkPlugin{
		Info:      sdk.Info{Name: "counter"},
		Protocols: []string{"count"},
		Handler:   sdk.TalkFunc(func(context.Context, *sdk.TalkRequest) ([]byte, error) { return nil, nil }),
		Methods: map[string]sdk.Method{
			"greet": {
				Summary: "Greets somebody",
				Params:  []string{"name", "times?"},
				Call: func(_ context.Context, p *sdk.Params) (any, error) {
					name, times := "", 1
					if err := p.Decode(&name, &times); err != nil {
						return nil, err
					}
					return strings.Repeat("hello "+name+" ", times), nil
				},
			},
			"nothing": {Call: func(context.Context, *sdk.Params) (any, error) { return nil, nil }},
			"fail":    {Call: func(context.Context, *sdk.Params) (any, error) { return nil, errors.New("the disk is full") }},
			"refuse": {Call: func(context.Context, *sdk.Params) (any, error) {
				return nil, &sdk.MethodError{Code: -39001, Message: "content not found", Data: map[string]int{"asked": 7}}
			}},
			"panic": {Call: func(context.Context, *sdk.Params) (any, error) { panic("no") }},
			"large": {Call: func(context.Context, *sdk.Params) (any, error) { return strings.Repeat("x", 1<<20), nil }},
			"chan":  {Call: func(context.Context, *sdk.Params) (any, error) { return make(chan int), nil }},
			"code":  {Call: func(context.Context, *sdk.Params) (any, error) { return nil, &sdk.MethodError{Code: 1 << 40} }},
		},
	}
}

func TestMethods(t *testing.T) {
	p := sdktest.Start(t, counter())
	for _, c := range []struct {
		method string
		params any
		result string // or
		code   int
		says   string
	}{
		{"greet", []any{"bob"}, `"hello bob "`, 0, ""},
		{"greet", []any{"bob", 2}, `"hello bob hello bob "`, 0, ""},
		{"greet", map[string]any{"times": 2, "name": "bob"}, `"hello bob hello bob "`, 0, ""},
		{"greet", []any{"bob", nil}, `"hello bob "`, 0, ""},
		{"greet", nil, "", sdk.CodeInvalidParams, "name is missing; it takes [name, times?]"},
		{"greet", []any{nil, 2}, "", sdk.CodeInvalidParams, "name is missing; it takes [name, times?]"},
		{"greet", []any{"a", 1, 2}, "", sdk.CodeInvalidParams, "too many parameters: 3; it takes [name, times?]"},
		{"greet", map[string]any{"name": "bob", "tiems": 2}, "", sdk.CodeInvalidParams, `there is no parameter "tiems"; it takes [name, times?]`},
		{"greet", "bob", "", sdk.CodeInvalidParams, "parameters are a list or an object; it takes [name, times?]"},
		{"greet", []any{"bob", "twice"}, "", sdk.CodeInvalidParams, "times: a string is not what it takes"},
		{"nothing", nil, "null", 0, ""},
		{"nothing", []any{1}, "", sdk.CodeInvalidParams, "too many parameters: 1; it takes []"},
		{"fail", nil, "", sdk.CodeFailed, "the disk is full"},
		{"refuse", nil, "", -39001, "content not found"},
		{"panic", nil, "", sdk.CodeInternal, "panic in method panic: no"},
		{"large", nil, "", sdk.CodeInternal, "the result has 1048578 bytes, and 1048576 are the most"},
		{"chan", nil, "", sdk.CodeFailed, "json: unsupported type: chan int"},
		{"code", nil, "", sdk.CodeFailed, ""},
		{"other", nil, "", -32601, `there is no method "other"`},
	} {
		result, err := p.Call(c.method, c.params)
		if c.code == 0 {
			if err != nil || string(result) != c.result {
				t.Errorf("%s %v: %s %v, want %s", c.method, c.params, result, err, c.result)
			}
			continue
		}
		e, ok := errors.AsType[*sdk.MethodError](err)
		if !ok || e.Code != c.code || e.Message != c.says {
			t.Errorf("%s %v: %s %v, want %d %s", c.method, c.params, result, err, c.code, c.says)
		}
		if c.method == "refuse" && ok {
			if data, ok := e.Data.(json.RawMessage); !ok || string(data) != `{"asked":7}` {
				t.Errorf("the error carries %v", e.Data)
			}
		}
	}
}

// A plugin with methods keeps its contract, and one without has none.
func TestMethodsConformance(t *testing.T) {
	sdktest.Conformance(t, sdktest.Source{New: func() sdk.Plugin { return counter() }})
	plain := counter()
	plain.Methods = nil
	if _, err := sdktest.Start(t, plain).Call("greet", nil); err == nil {
		t.Error("a plugin without methods is called")
	}
}

// Badly made methods are told all at once.
func TestBadMethods(t *testing.T) {
	p := counter()
	call := func(context.Context, *sdk.Params) (any, error) { return nil, nil }
	p.Methods = map[string]sdk.Method{
		"with_bar": {Call: call}, "empty": {}, "long": {Call: call, Summary: strings.Repeat("x", 257)},
		"twice": {Call: call, Params: []string{"a", "a?"}}, "many": {Call: call, Params: strings.Split("abcdefghijklmnopq", "")},
	}
	_, err := sdktest.Try(t, sdktest.Source{New: func() sdk.Plugin { return p }})
	if err == nil {
		t.Fatal("it runs")
	}
	for _, want := range []string{`method "with_bar"`, `"empty": Call is nil`, "Summary has 257 bytes", `"a" is no name of a parameter, or is there twice`, "17 Params"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in: %v", want, err)
		}
	}
}

package link

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/discv5/host/sdk/pluginpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// methodPlugin serves methods as a test wants.
type methodPlugin struct {
	pluginpb.UnimplementedMethodsServer
	list   *pluginpb.MethodList
	answer *pluginpb.CallMethodResponse
	err    error
	hang   bool
}

func (p *methodPlugin) List(context.Context, *pluginpb.ListMethodsRequest) (*pluginpb.MethodList, error) {
	return p.list, p.err
}

func (p *methodPlugin) Call(ctx context.Context, _ *pluginpb.CallMethodRequest) (*pluginpb.CallMethodResponse, error) {
	if p.hang {
		<-ctx.Done()
	}
	return p.answer, p.err
}

func listOf(names ...string) *pluginpb.MethodList {
	list := &pluginpb.MethodList{}
	for _, name := range names {
		list.Methods = append(list.Methods, &pluginpb.Method{Name: name, Summary: "a\x1bb", Params: []string{"x", "y?"}})
	}
	return list
}

// A list that makes no sense refuses the plugin.
func TestListOfMethodsIsChecked(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p := &methodPlugin{}
		conn := connect(t, func(s *grpc.Server) { pluginpb.RegisterMethodsServer(s, p) })
		p.list = listOf("get", "Get2")
		m, err := OpenMethods(t.Context(), conn)
		if err != nil || len(m.List()) != 2 || m.List()[0].Summary != "ab" || m.List()[1].Params[1] != "y?" {
			t.Fatalf("%v %v", m, err)
		}
		var many []string
		for i := range maxMethods + 1 {
			many = append(many, fmt.Sprint("m", i))
		}
		manyParams := listOf("get")
		manyParams.Methods[0].Params = make([]string, maxMethodParams+1)
		badParam := listOf("get")
		badParam.Methods[0].Params = []string{"a b"}
		for what, list := range map[string]*pluginpb.MethodList{
			"empty": listOf(""), "bar": listOf("a_b"), "digit": listOf("1a"), "other": listOf("a\x00"), "at": listOf("@a"), "brace": listOf("a["),
			"long": listOf(strings.Repeat("a", maxName+1)), "twice": listOf("a", "a"), "many": listOf(many...), "params": manyParams, "param": badParam,
		} {
			p.list = list
			if _, err := OpenMethods(t.Context(), conn); !errors.Is(err, ErrRefused) || !errors.Is(err, ErrInvalid) {
				t.Errorf("%s: %v", what, err)
			}
		}
		p.err = status.Error(codes.Unavailable, "later\x1b")
		if _, err := OpenMethods(t.Context(), conn); !errors.Is(err, ErrFailed) || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%v", err)
		}
	})
}

// What a plugin answers is checked, and a call ends by itself.
func TestAnswersOfMethodsAreChecked(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p := &methodPlugin{list: listOf("get")}
		conn := connect(t, func(s *grpc.Server) { pluginpb.RegisterMethodsServer(s, p) })
		m, err := OpenMethods(t.Context(), conn)
		if err != nil {
			t.Fatal(err)
		}
		call := func() (string, error) {
			result, err := m.Call(t.Context(), "get", nil)
			return string(result), err
		}
		result := func(text string) *pluginpb.CallMethodResponse {
			return &pluginpb.CallMethodResponse{Outcome: &pluginpb.CallMethodResponse_ResultJson{ResultJson: []byte(text)}}
		}
		failed := func(e *pluginpb.MethodError) *pluginpb.CallMethodResponse {
			return &pluginpb.CallMethodResponse{Outcome: &pluginpb.CallMethodResponse_Error{Error: e}}
		}
		p.answer = result(`{"a":1}`)
		if got, err := call(); err != nil || got != `{"a":1}` {
			t.Errorf("%s %v", got, err)
		}
		for what, answer := range map[string]*pluginpb.CallMethodResponse{
			"nothing": {}, "no JSON": result("{"), "empty": result(""), "long": result(`"` + strings.Repeat("x", MaxMethodBytes) + `"`),
		} {
			p.answer = answer
			if _, err := call(); !errors.Is(err, ErrInvalid) {
				t.Errorf("%s: %v", what, err)
			}
		}
		for what, c := range map[string]struct {
			said *pluginpb.MethodError
			want MethodError
		}{
			"all":      {&pluginpb.MethodError{Code: -39001, Message: "no\x1b", DataJson: []byte("[1]")}, MethodError{-39001, "no", []byte("[1]")}},
			"no code":  {&pluginpb.MethodError{Message: "no"}, MethodError{codeMethodFailed, "no", nil}},
			"bad data": {&pluginpb.MethodError{Code: 1, DataJson: []byte("[")}, MethodError{1, "", nil}},
			"much":     {&pluginpb.MethodError{Code: 1, Message: strings.Repeat("x", 1<<16), DataJson: []byte(`"` + strings.Repeat("x", maxMethodData) + `"`)}, MethodError{1, strings.Repeat("x", maxMessageText), nil}},
		} {
			p.answer = failed(c.said)
			_, err := call()
			if e, ok := errors.AsType[*MethodError](err); !ok || e.Code != c.want.Code || e.Message != c.want.Message || string(e.Data) != string(c.want.Data) {
				t.Errorf("%s: %.200v", what, err)
			}
		}
		p.hang = true
		started := time.Now()
		if _, err := call(); !errors.Is(err, context.DeadlineExceeded) || time.Since(started) != MethodTimeout {
			t.Errorf("a call that hangs: %v after %v", err, time.Since(started))
		}
		synctest.Wait() // the handler has ended too
		p.hang, p.err = false, status.Error(codes.Internal, "broken")
		if _, err := call(); !errors.Is(err, ErrFailed) {
			t.Errorf("%v", err)
		}
	})
}

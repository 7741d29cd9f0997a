//go:build unix

package plugins

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/discv5/host/plugins/internal/link"
	"github.com/discv5/host/sdk"
)

// withMethods gives a plugin under test methods: good ones, and others.
func withMethods(p *sdk.TalkPlugin) {
	release := make(chan bool)
	p.Methods = map[string]sdk.Method{
		"echo": {Summary: "Says it again", Params: []string{"what", "times?"}, Call: func(_ context.Context, q *sdk.Params) (any, error) {
			var what any
			err := q.Decode(&what)
			return what, err
		}},
		"pid": {Call: func(context.Context, *sdk.Params) (any, error) { return os.Getpid(), nil }},
		"refuse": {Call: func(context.Context, *sdk.Params) (any, error) {
			return nil, &sdk.MethodError{Code: -39001, Message: "not\x1b here", Data: []int{1}}
		}},
		"hang":    {Call: func(context.Context, *sdk.Params) (any, error) { select {} }},
		"crash":   {Call: func(context.Context, *sdk.Params) (any, error) { os.Exit(7); return nil, nil }},
		"wait":    {Call: func(ctx context.Context, _ *sdk.Params) (any, error) { <-release; return "released", nil }},
		"release": {Call: func(context.Context, *sdk.Params) (any, error) { close(release); return nil, nil }},
	}
}

func (r *rig) call(method, params string) (string, error) {
	result, err := r.set.Call(r.t.Context(), method, json.RawMessage(params))
	return string(result), err
}

func TestMethods(t *testing.T) {
	r := newRig(t, nil, block(t, "plain", "echo"), block(t, "my_x-1", "methods"))
	var names []string
	for _, m := range r.set.Methods() {
		names = append(names, fmt.Sprintf("%s %s %v %s", m.Name, m.Plugin, m.Params, m.Summary))
	}
	if len(names) != 7 || names[1] != "my_x-1_echo talk.my_x-1 [what times?] Says it again" {
		t.Errorf("methods %q", names)
	}
	if got, err := r.call("my_x-1_echo", `{"what": {"a": [1, null]}}`); err != nil || got != `{"a":[1,null]}` {
		t.Errorf("%s %v", got, err)
	}
	_, err := r.call("my_x-1_refuse", "")
	if e, ok := errors.AsType[*MethodError](err); !ok || e.Code != -39001 || e.Message != "not here" || string(e.Data) != "[1]" {
		t.Errorf("%#v", err)
	}
	_, err = r.call("my_x-1_echo", "")
	if e, ok := errors.AsType[*MethodError](err); !ok || e.Code != sdk.CodeInvalidParams {
		t.Errorf("%#v", err)
	}
	for _, none := range []string{"my_x-1_other", "my_x-1_", "my_x-1", "x_echo", "plain_echo", "", "_", "my_x_echo"} {
		if _, err := r.call(none, ""); !errors.Is(err, ErrNoMethod) {
			t.Errorf("%q: %v", none, err)
		}
	}
	if _, err := r.call("my_x-1_echo", `["`+strings.Repeat("x", link.MaxMethodBytes)+`"]`); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "are the most") {
		t.Errorf("large parameters: %v", err)
	}
	if err := r.set.Disable(t.Context(), "my_x-1"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.call("my_x-1_echo", ""); !errors.Is(err, ErrUnavailable) {
		t.Errorf("disabled: %v", err)
	}
	if n := len(r.set.Methods()); n != 0 {
		t.Errorf("%d methods of a plugin that is disabled", n)
	}
}

// Methods that hang end with their callers, take no more places than there are, and neither the plugin's requests nor another
// plugin notices.
func TestHangingMethods(t *testing.T) {
	r := newRig(t, nil, block(t, "bad", "methods"), block(t, "good", "methods"))
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range link.MaxMethodCalls {
		wg.Go(func() {
			if _, err := r.set.Call(ctx, "bad_hang", nil); !errors.Is(err, context.Canceled) {
				t.Errorf("a call whose caller is gone: %v", err)
			}
		})
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for bad := r.set.all()[0].current(); bad.methods.OpenCalls() < link.MaxMethodCalls; {
		<-tick.C
	}
	if _, err := r.call("bad_pid", ""); !errors.Is(err, ErrBusy) {
		t.Errorf("one more: %v", err)
	}
	if got, err := r.call("good_echo", `[1]`); err != nil || got != "1" {
		t.Errorf("another plugin: %s %v", got, err)
	}
	if got, _ := r.talk("bad", "x"); got != "x" {
		t.Errorf("a request: %q", got)
	}
	cancel()
	wg.Wait()
	if got, err := r.call("bad_echo", `[2]`); err != nil || got != "2" {
		t.Errorf("after those that hang: %s %v", got, err)
	}
	short, end := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer end()
	if _, err := r.set.Call(short, "bad_hang", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a deadline: %v", err)
	}
}

// A plugin that crashes in a method is started again, and the caller is told.
func TestCrashInMethod(t *testing.T) {
	r := newRig(t, nil, block(t, "m", "methods"))
	before := r.status("m").PID
	if _, err := r.call("m_crash", ""); !errors.Is(err, ErrUnavailable) {
		t.Errorf("%v", err)
	}
	r.await("m", "it runs again", func(st Status) bool { return st.State == Running && st.PID != before && st.PID != 0 })
	if got, err := r.call("m_echo", `[3]`); err != nil || got != "3" {
		t.Errorf("%s %v", got, err)
	}
}

// A call that is under way when its plugin is replaced is answered by the old process.
func TestReplaceDuringMethod(t *testing.T) {
	r := newRig(t, func(c *Config) { c.timing.drain = 10 * time.Second }, block(t, "m", "methods"))
	type reply struct {
		result string
		err    error
	}
	waiting := make(chan reply, 1)
	old := r.set.all()[0].current()
	go func() {
		result, err := r.call("m_wait", "")
		waiting <- reply{result, err}
	}()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for old.methods.OpenCalls() == 0 {
		<-tick.C
	}
	if err := r.set.Restart(t.Context(), "m"); err != nil {
		t.Fatal(err)
	}
	if _, err := old.methods.Call(t.Context(), "release", nil); err != nil { // as the last of the calls before it
		t.Fatal(err)
	}
	if got := <-waiting; got.err != nil || got.result != `"released"` {
		t.Errorf("%s %v", got.result, got.err)
	}
	if old.methods.enter() {
		t.Error("a call begins at a plugin that is drained")
	}
}

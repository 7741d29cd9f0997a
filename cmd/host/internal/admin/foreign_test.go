package admin

import (
	"errors"
	"testing"

	"github.com/discv5/host/plugins"
)

// Methods that are not ours go to plugins, and come back as plugins answer.
func TestMethodsOfPlugins(t *testing.T) {
	r := newRig(t, nil)
	if got := r.mustCall("echo_count", `{"of": [1]}`).(object)["of"]; len(got.([]any)) != 1 {
		t.Error(got)
	}
	var listed []string
	for _, m := range r.mustCall("host_methods", `[]`).([]any) {
		if m := m.(object); m["plugin"] != nil {
			listed = append(listed, m["name"].(string)+" "+m["params"].(string)+" "+m["plugin"].(string))
		}
	}
	if len(listed) != 1 || listed[0] != "echo_count [of?] talk.echo" {
		t.Errorf("%q", listed)
	}
	for method, want := range map[string]Error{
		"echo_refuse": {-39001, "content not found", &ErrorData{Other: []byte(`[1,{"trace":null}]`)}},
		"echo_down":   {CodeUnavailable, plugins.ErrUnavailable.Error(), &ErrorData{Reason: "unavailable"}},
		"echo_busy":   {CodeLimit, plugins.ErrBusy.Error(), &ErrorData{Reason: "busy", Hint: "try again later"}},
		"echo_panic":  {CodeInternal, "an internal error, which is in the log of the host", nil},
		"echo_coutn":  {CodeNoMethod, `there is no method "echo_coutn"`, &ErrorData{Reason: "unknown_method", Hint: "did you mean echo_count?"}},
		"host_count":  {CodeNoMethod, `there is no method "host_count"`, &ErrorData{Reason: "unknown_method", Hint: "did you mean host_plugin?"}},
	} {
		_, err := r.call(method, `[]`)
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Code != want.Code || e.Message != want.Message || (e.Data == nil) != (want.Data == nil) {
			t.Errorf("%s: %#v", method, err)
			continue
		}
		if e.Data != nil && method != "host_count" && (e.Data.Reason != want.Data.Reason || e.Data.Hint != want.Data.Hint || string(e.Data.Other) != string(want.Data.Other)) {
			t.Errorf("%s: %+v", method, e.Data)
		}
	}
	without := newRig(t, func(c *Config) { c.Plugins = nil })
	if _, err := without.call("echo_count", `[]`); err == nil {
		t.Error("a method of no plugin is called")
	}
}

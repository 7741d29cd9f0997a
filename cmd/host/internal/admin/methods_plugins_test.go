package admin

import (
	"context"
	"testing"
)

func TestPluginMethods(t *testing.T) {
	r := newRig(t, nil)
	if got := r.mustCall("host_pluginReload", `["echo"]`).(object)["changed"].([]any); len(got) != 1 || got[0] != "talk.echo" || r.plugins.calls[0] != "restart" {
		t.Errorf("%v, calls %v", got, r.plugins.calls)
	}
	if got := r.mustCall("host_plugin", `["echo"]`).(object)["id"]; got != "talk.echo" {
		t.Error(got)
	}
	logs := r.mustCall("host_pluginLogs", `["echo", 2]`).(object)
	if lines := logs["lines"].([]any); len(lines) != 2 || lines[1] != "three" || logs["mostLines"] != 20.0 || logs["lastExit"].(object)["reason"] != "exit status 1" {
		t.Errorf("%v", logs)
	}
	for method, params := range map[string]string{"host_pluginLogs": `["echo", 0]`, "host_plugin": `["ecko"]`, "host_pluginReload": `["x"]`} {
		if _, err := r.call(method, params); err == nil {
			t.Errorf("%s %s succeeds", method, params)
		}
	}
	own := newRig(t, func(c *Config) {
		c.ReloadPlugin = func(_ context.Context, id string) (ReloadResult, error) {
			return ReloadResult{Unchanged: []string{id}}, nil
		}
	})
	if got := own.mustCall("host_pluginReload", `["echo"]`).(object)["unchanged"].([]any); len(got) != 1 || got[0] != "talk.echo" {
		t.Error(got)
	}
}

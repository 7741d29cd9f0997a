package daemon

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/discv5/host/cmd/host/internal/config"
	"github.com/discv5/host/core"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/hashicorp/go-hclog"
)

// What operators put into the record is there after a restart, and what they removed is not.
func TestFieldsOutliveTheHost(t *testing.T) {
	cfg := settings(t)
	path := filepath.Join(cfg.DataDir, fieldsName)
	run := func(do func(o *operated)) {
		t.Helper()
		h, err := start(t.Context(), Options{Loaded: &config.Loaded{Config: *cfg}, Out: io.Discard, Log: hclog.NewNullLogger()})
		if err != nil {
			t.Fatal(err)
		}
		do(&operated{plainNode: h.node, path: path})
		if err := h.stop(); err != nil {
			t.Error(err)
		}
	}
	has := func(o *operated, key, want string) {
		t.Helper()
		var got string
		if err := o.Self().Load(enr.WithEntry(key, &got)); err != nil && want != "" || got != want {
			t.Errorf("%s is %q, %v, want %q", key, got, err, want)
		}
	}
	set := func(o *operated, owner string, values map[string]any, remove ...string) {
		t.Helper()
		if err := o.SetFields(t.Context(), owner, values, remove...); err != nil {
			t.Error(err)
		}
	}
	run(func(o *operated) {
		set(o, core.Operator, map[string]any{"a": "one", "b": "two"})
		set(o, "plugin/x", map[string]any{"c": "a plugin's"})
		set(o, core.Operator, map[string]any{"d": "three"}, "b")
	})
	run(func(o *operated) {
		has(o, "a", "one")
		has(o, "b", "")
		has(o, "c", "")
		has(o, "d", "three")
	})
	run(func(o *operated) { set(o, core.Operator, nil, "a", "d") })
	run(func(o *operated) { has(o, "a", "") })

	for _, wrong := range []string{"", "[]", `{"a": "0x"}`, `{"a": "zz"}`, `{"a": "0x8161"}`, `{"a": "0x6161"}`} {
		if err := os.WriteFile(path, []byte(wrong), 0o600); err != nil {
			t.Fatal(err)
		}
		if f, err := readFields(path); err == nil || !strings.Contains(err.Error(), "fields of the record") {
			t.Errorf("%q: %v, %v", wrong, f, err)
		}
	}
}

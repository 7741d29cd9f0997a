//go:build unix

package plugins

import (
	"errors"
	"strings"
	"testing"
)

// serving is a plugin that answers with its name.
func serving(t *testing.T, name string, protocols ...string) Block {
	b := block(t, name, "answer").with(map[string]any{"answer": name})
	b.Protocols = protocols
	return b
}

// wantServed asks protocols; each is to be answered by a plugin, or by none when that is empty.
func (r *rig) wantServed(what string, by map[string]string) {
	r.t.Helper()
	for protocol, want := range by {
		if got, _ := r.talk(protocol, "x"); got != want {
			r.t.Errorf("%s: %s is answered by %q, want %q", what, protocol, got, want)
		}
	}
}

// Protocols move between plugins, whichever comes first in the configuration.
func TestReloadMovesProtocols(t *testing.T) {
	r := newRig(t, nil, serving(t, "a", "x"), serving(t, "b", "y"))
	r.wantServed("at first", map[string]string{"x": "a", "y": "b"})
	r.reload(serving(t, "a", "x", "y"), serving(t, "b", "z"))
	r.wantServed("moved to an earlier block", map[string]string{"x": "a", "y": "a", "z": "b"})
	r.reload(serving(t, "a", "x"), serving(t, "b", "z", "y"))
	r.wantServed("moved to a later block", map[string]string{"x": "a", "y": "b", "z": "b"})
	r.reload(serving(t, "a", "y", "z"), serving(t, "b", "x"))
	r.wantServed("swapped", map[string]string{"x": "b", "y": "a", "z": "a"})
	r.reload(serving(t, "b", "y", "z"), serving(t, "a", "x"))
	r.wantServed("swapped back", map[string]string{"x": "a", "y": "b", "z": "b"})
	off := serving(t, "b", "y", "z")
	off.Disabled = true
	r.reload(serving(t, "new", "z"), serving(t, "a", "x", "y"), off)
	r.await("new", "it serves", func(st Status) bool { return st.State == Running })
	r.wantServed("taken from one that is disabled", map[string]string{"x": "a", "y": "a", "z": "new"})
	for _, name := range []string{"a", "new"} {
		if st := r.status(name); st.State != Running {
			t.Errorf("%s is %v: %s", name, st.State, st.Reason)
		}
	}
}

// A plugin whose change fails keeps its protocols, and what it lost to another one comes back with the configuration of before.
func TestReloadMovesAndFails(t *testing.T) {
	a, b := serving(t, "a", "x"), serving(t, "b", "y")
	r := newRig(t, nil, a, b)
	broken := func(name, protocol string) Block {
		b := serving(t, name, protocol).with(map[string]any{"fail": "no luck"})
		return b
	}
	err := r.set.Reload(t.Context(), []Block{broken("a", "y"), serving(t, "b", "x")})
	var conflict *ConflictError
	if err == nil || !strings.Contains(err.Error(), "no luck") || !errors.As(err, &conflict) || conflict.First != "talk.a" {
		t.Errorf("reload: %v", err)
	}
	r.wantServed("the first fails", map[string]string{"x": "a", "y": "b"})
	err = r.set.Reload(t.Context(), []Block{serving(t, "a", "y"), broken("b", "x")})
	if err == nil || !strings.Contains(err.Error(), "no luck") {
		t.Errorf("reload: %v", err)
	}
	r.wantServed("the second fails", map[string]string{"x": "", "y": "a"})
	r.reload(a, b)
	r.wantServed("as it was before", map[string]string{"x": "a", "y": "b"})
}

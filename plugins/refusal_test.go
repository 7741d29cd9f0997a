//go:build unix

package plugins

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/p2p/enr"
)

// The log says what to do about a plugin that does not start.
func TestHintIsLogged(t *testing.T) {
	b := block(t, "p", "needy")
	r := newRig(t, nil, b)
	st := r.awaitState("p", Refused)
	if log := r.log.String(); st.Hint == "" || !strings.Contains(log, `hint="`+st.Hint+`"`) {
		t.Errorf("hint %q is not in the log", st.Hint)
	}
}

// Nobody takes the protocols of an exclusive plugin, and its record fields stay, while a new version of it is refused.
func TestExclusiveKeepsWhatItHas(t *testing.T) {
	b := block(t, "p", "exclusive with a field")
	b.Grants = []string{"record"}
	r := newRig(t, func(c *Config) { c.timing.configure = 5 * time.Second }, b)
	has := func() bool { return r.host.Self().Record().Load(enr.WithEntry("mine", new([]byte))) == nil }
	if !has() {
		t.Fatal("no field")
	}
	before := r.host.Self().Seq()
	bad := b
	bad.Configure = func(*pluginpb.Description) ([]byte, error) { return nil, errors.New("no such key") }
	err := r.set.Replace(t.Context(), bad)
	if err == nil || !strings.Contains(err.Error(), "runs as it did before") {
		t.Errorf("replaced by one that is refused: %v", err)
	}
	if st := r.status("p"); st.State != Running || st.Transitions[Refused] != 1 {
		t.Errorf("it is %v, refused %d times", st.State, st.Transitions[Refused])
	}
	if now := r.host.Self().Seq(); now != before || !has() {
		t.Errorf("the record went from %d to %d; the field is there: %v", before, now, has())
	}
}

// A filter that is disabled has no say, whatever its on_error is.
func TestDisabledFilterHasNoSay(t *testing.T) {
	off, on := wanting(t, "off", "fine"), wanting(t, "on", "fine")
	off.Disabled = true
	r := newRig(t, nil, off, on)
	names := func() string {
		var all []string
		for _, s := range r.host.FilterStats() {
			all = append(all, s.Name)
		}
		return strings.Join(all, " ")
	}
	if names() != "on" {
		t.Errorf("filters %q", names())
	}
	bad := marked(t, "bad")
	for _, step := range []struct {
		do   func() error
		want string
	}{
		{func() error { return r.set.Disable(t.Context(), "on") }, ""},
		{func() error { return r.set.Enable(t.Context(), "off") }, "off"},
		{func() error { return r.set.Restart(t.Context(), "on") }, "off on"},
		{func() error { return r.set.Disable(t.Context(), "off") }, "on"},
		{func() error { return r.set.Disable(t.Context(), "on") }, ""},
	} {
		if err := step.do(); err != nil || names() != step.want {
			t.Errorf("%v; filters %q, want %q", err, names(), step.want)
		}
	}
	r.awaitTable(bad, true, true)
	if all := r.set.Filters(); len(all) != 0 {
		t.Errorf("filters %v", all)
	}
}

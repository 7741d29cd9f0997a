//go:build unix

package plugins

import (
	"strings"
	"testing"
	"time"
)

// A talk plugin that owes all its responses says that it is well, but no request can reach it: it is degraded, then restarted.
func TestStarvedPluginIsRestarted(t *testing.T) {
	b := block(t, "evil", "hang in a call")
	b.MaxInFlight = 4
	r := newRig(t, func(c *Config) { c.timing.starved = 3 * time.Second }, b)
	for range 6 {
		r.wantEmpty("evil")
	}
	st := r.awaitState("evil", Degraded)
	if !strings.Contains(st.Reason, "stopped to answer") || st.Restarts > 0 {
		t.Errorf("%s, %d restarts", st.Reason, st.Restarts)
	}
	st = r.await("evil", "it is back", func(st Status) bool { return st.Restarts == 1 && st.State == Running })
	if st.Talk.InFlight != 0 || st.Transitions[Crashed] != 1 {
		t.Errorf("it owes %d, crashed %d times", st.Talk.InFlight, st.Transitions[Crashed])
	}
	if log := r.log.String(); !strings.Contains(log, "owes all 4 responses") {
		t.Error("the log does not say why")
	}
}

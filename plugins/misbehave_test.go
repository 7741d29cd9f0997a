//go:build unix

package plugins

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// misdeed is what a plugin does, and what an operator sees of it.
type misdeed struct {
	name   string
	mode   string // of the program; the name when empty
	change func(t *testing.T, b *Block)
	asked  bool // the peer asks it, and gets an empty answer
	answer string
	state  State  // where it ends
	says   string // in the reason, the last exit or the last lines
	check  func(t *testing.T, r *rig, st Status)
}

// running says that a plugin went on for a while after what it did.
func running(t *testing.T, r *rig, st Status) {
	t.Helper()
	if st.Restarts > 0 || st.PID == 0 {
		t.Errorf("it was restarted %d times and has the number %d", st.Restarts, st.PID)
	}
}

// Whatever a plugin does, the host lives, nobody else is disturbed, peers get empty answers in time, and the status says why.
func TestMisbehaviour(t *testing.T) {
	for _, m := range []misdeed{
		{name: "crash at start", state: Disabled, says: "cannot open the database", asked: true},
		{name: "crash in a call", asked: true, state: Running, says: "exit status 4", check: func(t *testing.T, r *rig, st Status) {
			if st.Restarts == 0 || !strings.Contains(st.LastExit, "exit status 4") || !slices.Contains(st.ExitLines, "out of luck") {
				t.Errorf("%d restarts, last exit %q, lines %q", st.Restarts, st.LastExit, st.ExitLines)
			}
		}},
		{name: "crash again and again", state: Disabled, says: "time is up", asked: true, check: func(t *testing.T, r *rig, st Status) {
			if st.Restarts != 4 || st.Transitions[Crashed] != 5 || st.Transitions[Running] != 5 || !strings.Contains(st.Reason, "5 crashes") {
				t.Errorf("%d restarts, %v: %s", st.Restarts, st.Transitions, st.Reason)
			}
			if err := r.set.Restart(t.Context(), "evil"); err != nil {
				t.Error("revival:", err)
			}
			if st := r.status("evil"); st.Transitions[Running] != 6 {
				t.Errorf("it is %v after its revival", st.State)
			}
		}},
		{name: "hang in a call", asked: true, state: Running, check: running},
		{name: "hang in configure", asked: true, state: Disabled, says: "configure: no answer within 500ms"},
		{name: "ignore TERM", state: Running, answer: "x", check: func(t *testing.T, r *rig, st Status) {
			start := time.Now()
			if err := r.set.Disable(t.Context(), "evil"); err != nil {
				t.Error("disable:", err)
			}
			if took := time.Since(start); took > 700*time.Millisecond+slack {
				t.Errorf("it took %v", took)
			}
			if st := r.status("evil"); st.State != Disabled || !strings.Contains(st.LastExit, "killed by the host") {
				t.Errorf("it is %v, last exit %q", st.State, st.LastExit)
			}
		}},
		{name: "unwell", state: Disabled, says: "the disk is full", asked: true},
		{name: "hang in health", state: Disabled, says: "no answer", asked: true},
		{name: "degraded", state: Degraded, says: "the disk is nearly full", answer: "x", check: running},
		{name: "child keeps stderr", state: Running, answer: "x", check: func(t *testing.T, r *rig, st Status) {
			start := time.Now()
			if err := r.set.Disable(t.Context(), "evil"); err != nil {
				t.Error("disable:", err)
			}
			if took := time.Since(start); took > 500*time.Millisecond+slack {
				t.Errorf("it took %v", took)
			}
		}},
		{name: "10 MB without a newline", state: Running, says: "done with it", answer: "x", check: running},
		{name: "strange JSON", state: Running, says: `{"a":[null]}`, answer: "x", check: running},
		{name: "stdout after the handshake", state: Running, says: "still here", answer: "x", check: running},
		{name: "70,000 bytes", asked: true, state: Running, check: func(t *testing.T, r *rig, st Status) {
			if running(t, r, st); st.Talk.TooLarge != 1 {
				t.Errorf("counted %+v", st.Talk)
			}
		}},
		{name: "unknown id", asked: true, state: Running, check: func(t *testing.T, r *rig, st Status) {
			if st.Talk.Unknown != 1 {
				t.Errorf("counted %+v", st.Talk)
			}
		}},
		{name: "answers twice", answer: "x", state: Running, check: func(t *testing.T, r *rig, st Status) {
			st = r.await("evil", "the second answer is counted", func(st Status) bool { return st.Talk.Repeated == 1 })
			running(t, r, st)
		}},
		{name: "flood of host calls", state: Running, says: "exhausted", change: grant("lookup"), check: running},
		{name: "raw flood of host calls", answer: "x", state: Running, change: grant("self"), check: func(t *testing.T, r *rig, st Status) {
			st = r.await("evil", "its calls are answered", func(st Status) bool { return st.Host != nil && len(st.Host.Calls) > 0 })
			if running(t, r, st); st.Host.Unsent > 8<<20 {
				t.Errorf("%d bytes wait for it", st.Host.Unsent)
			}
		}},
		{name: "foreign field", answer: "x", state: Running, says: "owned: true", change: grant("record"), check: running},
		{name: "large field", answer: "x", state: Running, says: "too large: true", change: grant("record"), check: running},
		{name: "not granted", mode: "foreign field", answer: "x", state: Running, says: "owned: false too large: false", check: running},
		{name: "other version", asked: true, state: Refused, says: "another protocol version"},
		{name: "needy", asked: true, state: Refused, says: "it needs grants that it does not have: ping, talk"},
		{name: "another kind", mode: "filter", asked: true, state: Refused, says: "it is no talk plugin"},
		{name: "wrong checksum", mode: "echo", asked: true, state: Refused, says: "is not the pinned one", change: func(_ *testing.T, b *Block) {
			b.SHA256 = strings.Repeat("ab", 32)
		}},
		{name: "exchanged after its first start", mode: "crash in a call", asked: true, state: Refused, says: "is not the pinned one", change: func(t *testing.T, b *Block) {
			program, err := os.ReadFile(b.Source)
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256(program)
			b.Source, b.SHA256 = filepath.Join(t.TempDir(), "program"), hex.EncodeToString(sum[:])
			if err := os.WriteFile(b.Source, program, 0o700); err != nil {
				t.Fatal(err)
			}
			b.Env = map[string]string{"EXCHANGE": b.Source}
		}},
		{name: "not executable", asked: true, state: Refused, says: "is not executable", change: func(t *testing.T, b *Block) {
			b.Source = filepath.Join(t.TempDir(), "data")
			if err := os.WriteFile(b.Source, []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "not a plugin", asked: true, state: Disabled, says: "ended before it said", change: func(_ *testing.T, b *Block) {
			b.Source, b.Args = "/bin/cat", nil
		}},
		{name: "not a plugin that talks", asked: true, state: Refused, says: "is not a plugin of this host", change: func(_ *testing.T, b *Block) {
			b.Source, b.Args = "/bin/sh", []string{"-c", "echo hello; exec sleep 60"}
		}},
	} {
		t.Run(m.name, func(t *testing.T) { m.run(t) })
	}
}

func grant(names ...string) func(*testing.T, *Block) {
	return func(_ *testing.T, b *Block) { b.Grants = names }
}

func (m misdeed) run(t *testing.T) {
	mode := m.mode
	if mode == "" {
		mode = m.name
	}
	r := newRig(t, nil, block(t, "good", "echo"))
	good := r.status("good")
	l := r.load("good")
	evil := block(t, "evil", mode)
	if m.change != nil {
		m.change(t, &evil)
	}
	if err := r.set.add(defaulted(evil)); err != nil {
		t.Fatal(err)
	}
	if err := r.set.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if path := evil.Env["EXCHANGE"]; path != "" {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("\x7fELF another program"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if m.asked && (m.state == Running || evil.Env["EXCHANGE"] != "") {
		r.wantEmpty("evil")
	}
	r.await("evil", "it is "+m.state.String()+" and says "+m.says, func(st Status) bool {
		return st.State == m.state && strings.Contains(strings.Join(append(append(st.LastLines, st.ExitLines...), st.Reason, st.LastExit), "\n"), m.says)
	})
	switch {
	case m.asked && m.state != Running:
		r.wantEmpty("evil")
	case m.answer != "":
		if answer, _ := r.talk("evil", m.answer); answer != m.answer {
			t.Errorf("it answers %q, want %q", answer, m.answer)
		}
	}
	if st := r.status("evil"); st.State == Refused && st.Hint == "" && !strings.Contains(m.name, "kind") {
		t.Error("no hint")
	}
	if m.check != nil {
		m.check(t, r, r.status("evil"))
	}
	l.check(t)
	if now := r.status("good"); now.PID != good.PID || !now.State.Serves() || now.Restarts > 0 {
		t.Errorf("the other plugin is %v, restarted %d times: %s", now.State, now.Restarts, now.LastExit)
	}
}

func defaulted(b Block) Block {
	b.setDefaults()
	return b
}

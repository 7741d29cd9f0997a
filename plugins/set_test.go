//go:build unix

package plugins

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/discv5/host/core"
	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

func TestLifeOfAPlugin(t *testing.T) {
	b := block(t, "echo", "echo")
	b.Required = true
	r := newRig(t, nil, b)
	if answer, took := r.talk("echo", "hello"); answer != "hello" {
		t.Errorf("answer %q after %v", answer, took)
	}
	st := r.status("echo")
	if st.State != Running || st.PID == 0 || st.Program != "test" || st.Version != "1.2.3" || !slices.Equal(st.Protocols, []string{"echo"}) ||
		st.Talk.Answered != 1 || st.Started.IsZero() || st.ID != "talk.echo" {
		t.Errorf("status %+v", st)
	}
	if runtime.GOOS == "linux" && st.Usage.RSS < 1<<20 {
		t.Errorf("usage %+v", st.Usage)
	}
	if len(r.set.Missing()) > 0 {
		t.Errorf("missing: %q", r.set.Missing())
	}
	if err := r.set.Disable(t.Context(), "echo"); err != nil {
		t.Fatal(err)
	}
	if r.wantEmpty("echo"); r.status("echo").State != Disabled || !slices.Equal(r.set.Missing(), []string{"talk.echo"}) {
		t.Errorf("it is %v; missing: %q", r.status("echo").State, r.set.Missing())
	}
	for range 2 {
		if err := r.set.Enable(t.Context(), "talk.echo"); err != nil {
			t.Fatal(err)
		}
	}
	if answer, _ := r.talk("echo", "again"); answer != "again" {
		t.Errorf("answer %q", answer)
	}
	before := r.status("echo")
	if err := r.set.Restart(t.Context(), "echo"); err != nil {
		t.Fatal(err)
	}
	if now := r.status("echo"); now.PID == before.PID || now.Talk.Answered < before.Talk.Answered {
		t.Errorf("restarted from %d to %d, answered %d, then %d", before.PID, now.PID, before.Talk.Answered, now.Talk.Answered)
	}
	if err := r.set.Restart(t.Context(), "nobody"); !errors.Is(err, ErrUnknown) {
		t.Errorf("restart of nobody: %v", err)
	}
	if err := r.set.Close(); err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	var states []string
	for i, e := range r.events {
		if states = append(states, e.To.String()); i > 0 && e.From != r.events[i-1].To {
			t.Errorf("event %d is from %v, the one before led to %v", i, e.From, r.events[i-1].To)
		}
	}
	r.mu.Unlock()
	want := "starting configuring running draining stopped disabled starting configuring running running draining stopped"
	if got := strings.Join(states, " "); got != want {
		t.Errorf("states were %s, want %s", got, want)
	}
	if err := r.set.Restart(t.Context(), "echo"); !errors.Is(err, ErrClosed) {
		t.Errorf("restart after the end: %v", err)
	}
}

// steady asks a protocol at a steady rate and counts the answers.
type steady struct {
	stop    chan struct{}
	done    sync.WaitGroup
	waiting sync.WaitGroup
	sent    atomic.Int64
	mu      sync.Mutex
	answers map[string]int
	errs    map[string]int
}

func (r *rig) steady(protocol string, perSecond int) *steady {
	s := &steady{stop: make(chan struct{}), answers: make(map[string]int), errs: make(map[string]int)}
	s.done.Go(func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		start := time.Now()
		for n := 0; ; {
			select {
			case <-s.stop:
				return
			case <-tick.C:
			}
			var calls []core.TalkCall
			due := int(time.Since(start).Seconds() * float64(perSecond))
			for n = max(n, due-50); n < due; n++ { // what a busy machine missed is not made up for: it would come as one burst
				s.waiting.Add(1)
				s.sent.Add(1)
				calls = append(calls, core.TalkCall{Node: r.host.Self(), Protocol: protocol, Payload: []byte("x"), Done: func(answer []byte, err error) {
					defer s.waiting.Done()
					s.mu.Lock()
					defer s.mu.Unlock()
					if err != nil {
						s.errs[err.Error()]++
					} else {
						s.answers[string(answer)]++
					}
				}})
			}
			if err := r.peer.TalkAsync(calls...); err != nil {
				r.t.Error("talk:", err)
				return
			}
		}
	})
	return s
}

// awaitAnswer waits until answers of a kind come.
func (s *steady) awaitAnswer(t *testing.T, answer string) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); <-tick.C {
		s.mu.Lock()
		n := s.answers[answer]
		s.mu.Unlock()
		if n > 100 {
			return
		}
	}
	t.Errorf("no answers %q", answer)
}

func (s *steady) check(t *testing.T) {
	t.Helper()
	close(s.stop)
	s.done.Wait()
	s.waiting.Wait()
	t.Logf("%d requests, answered %v, errors %v", s.sent.Load(), s.answers, s.errs)
	if s.answers[""] > 0 || len(s.errs) > 0 {
		t.Errorf("%d requests were answered empty, errors %v", s.answers[""], s.errs)
	}
}

// A talk plugin is replaced under load, and no request is lost or answered empty.
func TestReplaceUnderLoad(t *testing.T) {
	b := block(t, "p", "answer").with(map[string]any{"answer": "one"})
	b.Deadline, b.MaxPerPeer, b.MaxInFlight = 10*time.Second, 4096, 4096 // a machine that stands still is no finding
	r := newRig(t, nil, b)
	s := r.steady("p", 2000)
	s.awaitAnswer(t, "one")
	if err := r.set.Replace(t.Context(), b.with(map[string]any{"answer": "two"})); err != nil {
		t.Error("new configuration:", err)
	}
	s.awaitAnswer(t, "two")
	next := b.with(map[string]any{"answer": "three"})
	program, err := os.ReadFile(b.Source)
	if err != nil {
		t.Fatal(err)
	}
	next.Source = filepath.Join(t.TempDir(), "new")
	if err := os.WriteFile(next.Source, program, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := r.set.Replace(t.Context(), next); err != nil {
		t.Error("new program:", err)
	}
	s.awaitAnswer(t, "three")
	for _, bad := range []Block{b.with(map[string]any{"fail": "no"}), block(t, "p", "crash at start"), block(t, "p", "other version")} {
		pid := r.status("p").PID
		if err := r.set.Replace(t.Context(), bad); err == nil || !strings.Contains(err.Error(), "goes on as it was") {
			t.Errorf("replaced by one that does not start: %v", err)
		}
		if st := r.status("p"); st.PID != pid || st.State != Running {
			t.Errorf("the old one is %v", st.State)
		}
	}
	s.check(t)
}

// Of an exclusive plugin the old one ends before the new one starts, and requests wait.
func TestReplaceExclusive(t *testing.T) {
	b := block(t, "p", "exclusive")
	b.Deadline = time.Second
	r := newRig(t, func(c *Config) { c.timing.drain, c.timing.configure = 2*time.Second, 5*time.Second }, b)
	s := r.steady("p", 200)
	s.awaitAnswer(t, "x")
	if err := r.set.Restart(t.Context(), "p"); err != nil {
		t.Fatal(err)
	}
	s.check(t)
	pid := r.status("p").PID
	bad := block(t, "p", "crash at start")
	if err := r.set.Replace(t.Context(), bad); err == nil || !strings.Contains(err.Error(), "runs as it did before") {
		t.Errorf("replaced by one that does not start: %v", err)
	}
	if st := r.awaitState("p", Running); st.PID == pid {
		t.Error("an exclusive plugin was not ended before another started")
	}
	if answer, _ := r.talk("p", "hello"); answer != "hello" {
		t.Errorf("answer %q", answer)
	}
}

func TestConflicts(t *testing.T) {
	a, b := block(t, "a", "echo"), block(t, "b", "echo")
	a.Protocols, b.Protocols = []string{"same"}, []string{"same"}
	_, err := New(Config{Blocks: []Block{a, b}, DataDir: "d", RunDir: "r"})
	var conflict *ConflictError
	if !errors.As(err, &conflict) || conflict.First != "talk.a" || conflict.Second != "talk.b" || conflict.Protocol != "same" {
		t.Errorf("conflict in the configuration: %v", err)
	}
}

// Of two plugins that describe the same protocol the first of the configuration serves it, however slow it is to start; but nobody
// waits for long for one that hangs, and not at all for one that fails.
func TestFirstChoiceOfProtocols(t *testing.T) {
	slow := block(t, "a", "echo")
	slow.Source, slow.Args = "/bin/sh", []string{"-c", `sleep 0.4; exec "$0" "$@"`, self(t), "mode=echo", "a"}
	other := block(t, "b", "echo")
	other.Args[1] = "a"
	fails := block(t, "c", "crash at start")
	r := newRig(t, nil, fails, slow, other)
	if st := r.status("a"); st.State != Running {
		t.Errorf("the first is %v: %s", st.State, st.Reason)
	}
	if st := r.status("b"); st.State != Refused || !strings.Contains(st.Reason, "talk.a") || !strings.Contains(st.Reason, "talk.b") {
		t.Errorf("the second is %v: %s", st.State, st.Reason)
	}
	if answer, _ := r.talk("a", "hello"); answer != "hello" {
		t.Errorf("answer %q", answer)
	}
	hangs := block(t, "h", "echo")
	hangs.Source, hangs.Args = "/bin/sleep", []string{"60"}
	start := time.Now()
	r = newRig(t, func(c *Config) { c.timing.start, c.timing.claim = 3*time.Second, 200*time.Millisecond }, hangs, block(t, "d", "echo"))
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.ID == "talk.d" && e.To == Running {
			if took := e.At.Sub(start); took > 2*time.Second {
				t.Errorf("a plugin that hangs held up another one for %v", took)
			}
			return
		}
	}
	t.Error("the plugin behind one that hangs does not run")
}

func TestReload(t *testing.T) {
	keep, change, drop := block(t, "keep", "echo"), block(t, "change", "answer").with(map[string]any{"answer": "one"}), block(t, "drop", "echo")
	r := newRig(t, nil, keep, change, drop)
	kept := r.status("keep").PID
	taker := block(t, "taker", "echo")
	taker.Protocols = []string{"drop"} // of the one that goes
	taker.Args[1] = "drop"
	err := r.set.Reload(t.Context(), []Block{keep, change.with(map[string]any{"answer": "two"}), taker})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.set.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st := r.status("keep"); st.PID != kept {
		t.Error("an unchanged plugin was restarted")
	}
	for protocol, want := range map[string]string{"change": "two", "drop": "x", "keep": "x"} {
		if answer, _ := r.talk(protocol, "x"); answer != want {
			t.Errorf("%s answers %q, want %q", protocol, answer, want)
		}
	}
	if n := len(r.set.Status()); n != 3 {
		t.Errorf("%d plugins", n)
	}
	err = r.set.Reload(t.Context(), []Block{keep, change.with(map[string]any{"fail": "no luck"}), taker, {Kind: Store, Name: "s", Source: self(t)}})
	if !errors.Is(err, ErrRestart) || !strings.Contains(err.Error(), "no luck") {
		t.Errorf("reload: %v", err)
	}
	if answer, _ := r.talk("change", "x"); answer != "two" {
		t.Errorf("after a change that failed it answers %q", answer)
	}
}

func TestFilterAndStore(t *testing.T) {
	filter := Block{Kind: Filter, Name: "f", Source: self(t), Args: []string{"mode=filter", ""}, Stages: []core.Stage{core.StageTable}, OnError: core.Reject}
	filter = filter.with(map[string]any{"answer": "operator"})
	store := Block{Kind: Store, Name: "s", Source: self(t), Args: []string{"mode=store", ""}}
	r := newRig(t, nil, filter, store)
	ctx := t.Context()
	decide := func() (out [2]core.Verdict, err error) {
		err = r.set.Filters()[0].Filter.Decide(ctx, core.StageTable, []*enode.Node{r.peer.Self(), r.host.Self()}, out[:])
		return out, err
	}
	if out, err := decide(); err != nil || out[0].Decision != core.Reject || out[1].Decision != core.Accept {
		t.Errorf("the filter says %v, %v", out, err)
	}
	if err := r.set.Replace(ctx, filter.with(map[string]any{})); err != nil {
		t.Fatal(err)
	}
	if out, err := decide(); err != nil || out[0].Decision != core.Accept {
		t.Errorf("the new filter says %v, %v", out, err)
	}
	strict := filter
	strict.Order = 7
	if err := r.set.Replace(ctx, strict); err != nil {
		t.Errorf("another order: %v", err)
	}
	s := r.set.Store()
	if err := s.Put(ctx, []core.Entry{{Key: []byte("k"), Value: []byte("v"), Version: 3}}); err != nil {
		t.Fatal(err)
	}
	if found, err := s.Get(ctx, [][]byte{[]byte("k"), []byte("none")}); err != nil || len(found) != 1 || string(found[0].Value) != "v" {
		t.Errorf("the store has %v, %v", found, err)
	}
	// While the store is exchanged, calls wait for it.
	var calls sync.WaitGroup
	stop := make(chan struct{})
	calls.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := s.Put(ctx, []core.Entry{{Key: []byte("k"), Version: 4}}); err != nil {
				t.Error("put:", err)
				return
			}
		}
	})
	if err := r.set.Restart(ctx, "s"); err != nil {
		t.Error("restart of the store:", err)
	}
	close(stop)
	calls.Wait()
	if err := r.set.Disable(ctx, "s"); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(ctx, nil); !errors.Is(err, ErrUnavailable) {
		t.Errorf("put into a store that is disabled: %v", err)
	}
	if st := r.status("s"); st.Calls.Calls <= st.Calls.Failures || st.Calls.Failures == 0 { // the node calls it too
		t.Errorf("counted %+v", st.Calls)
	}
}

func TestConfigIsChecked(t *testing.T) {
	b := block(t, "p", "answer")
	b.Configure = func(d *pluginpb.Description) ([]byte, error) {
		if len(d.GetConfig().GetAttributes()) != 2 {
			return nil, fmt.Errorf("schema %v", d.Config)
		}
		return nil, errors.New("config.hcl:7: an argument named \"anwser\" is not expected here")
	}
	r := newRig(t, nil, b)
	if st := r.status("p"); st.State != Refused || !strings.Contains(st.Reason, "config.hcl:7") {
		t.Errorf("it is %v: %s", st.State, st.Reason)
	}
	if err := r.set.Replace(t.Context(), b.with(map[string]any{"answer": "fine"})); err != nil {
		t.Fatal(err)
	}
	if answer, _ := r.talk("p", "x"); answer != "fine" {
		t.Errorf("answer %q", answer)
	}
}

func TestValidate(t *testing.T) {
	good := func() Block { return block(t, "p", "echo") }
	for want, change := range map[string]func(*Config, *Block){
		"no data directory":    func(c *Config, _ *Block) { c.DataDir = "" },
		"no run directory":     func(c *Config, _ *Block) { c.RunDir = "" },
		"is there twice":       func(c *Config, b *Block) { c.Blocks = append(c.Blocks, *b) },
		"is no kind":           func(_ *Config, b *Block) { b.Kind = "talc" },
		"is no name":           func(_ *Config, b *Block) { b.Name = "../etc" },
		"no source":            func(_ *Config, b *Block) { b.Source = "" },
		"is no SHA-256":        func(_ *Config, b *Block) { b.SHA256 = "ff" },
		"no bundled plugins":   func(_ *Config, b *Block) { b.Source = "builtin:echo" },
		"cannot be a variable": func(_ *Config, b *Block) { b.Env = map[string]string{"A=B": "c"} },
		"is no grant":          func(_ *Config, b *Block) { b.Grants = []string{"everything"} },
		"name has 0 bytes":     func(_ *Config, b *Block) { b.Protocols = []string{""} },
		"at least one stage":   func(_ *Config, b *Block) { b.Kind = Filter },
		"a bound is negative":  func(_ *Config, b *Block) { b.MaxQueue = -1 },
		"a host has one store": func(c *Config, b *Block) { b.Kind = Store; o := *b; o.Name = "q"; c.Blocks = append(c.Blocks, o) },
		"64 are the most":      func(c *Config, b *Block) { c.Blocks = slices.Repeat([]Block{*b}, 65) },
	} {
		c := Config{DataDir: "d", RunDir: "r", Blocks: []Block{good()}}
		change(&c, &c.Blocks[0])
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// A set without plugins leaves the disk alone, and takes plugins later.
func TestRunWithoutPlugins(t *testing.T) {
	n, dir := listen(t, nil), runDir(t)
	cfg := Config{DataDir: dir + "/data", RunDir: dir + "/run"}
	quick(&cfg)
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Run(n); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("it has made %v, %v", left, err)
	}
	if err := s.Reload(t.Context(), []Block{block(t, "echo", "echo")}); err != nil {
		t.Fatal(err)
	}
	if err := s.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st := s.Status(); len(st) != 1 || st[0].State != Running {
		t.Errorf("plugins %+v", st)
	}
}

// Whatever the plugins do, the end takes no longer than it may.
func TestCloseIsQuick(t *testing.T) {
	blocks := []Block{block(t, "a", "ignore TERM"), block(t, "b", "hang in configure"), block(t, "c", "echo"), {Kind: Store, Name: "s", Source: self(t), Args: []string{"mode=store", ""}}}
	r := newRig(t, func(c *Config) { c.timing = timing{configure: 300 * time.Millisecond} }, blocks...)
	start := time.Now()
	if err := r.set.Close(); err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	t.Logf("the end took %v", took)
	if took > 4*time.Second {
		t.Errorf("the end took %v", took)
	}
}

// A set that is closed while its plugins start leaves nothing behind.
func TestCloseAtOnce(t *testing.T) {
	n := listen(t, nil)
	for i := range 10 {
		run := runDir(t)
		cfg := Config{Blocks: []Block{block(t, "a", "echo"), block(t, "b", "hang in configure")}, DataDir: t.TempDir(), RunDir: run}
		quick(&cfg)
		s, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Run(n); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*5*time.Millisecond)
		_ = s.Settle(ctx)
		cancel()
		start := time.Now()
		_ = s.Close()
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("the end took %v", took)
		}
		if left, err := os.ReadDir(run); err != nil || len(left) > 0 {
			t.Errorf("left: %v, %v", left, err)
		}
	}
}

func TestDescribe(t *testing.T) {
	run := runDir(t)
	cfg := Config{RunDir: run}
	about, err := Describe(t.Context(), cfg, block(t, "p", "answer"))
	if err != nil || about.Name != "test" || len(about.GetConfig().GetAttributes()) != 2 {
		t.Errorf("described as %v, %v", about, err)
	}
	needy, err := Describe(t.Context(), cfg, block(t, "p", "needy"))
	if err != nil || !slices.Equal(needy.Needs, []string{"ping", "talk"}) {
		t.Errorf("described as %v, %v", needy, err)
	}
	missing := block(t, "p", "")
	missing.Source = filepath.Join(run, "none")
	if _, err := Describe(t.Context(), cfg, missing); err == nil || Hint(err) == "" {
		t.Errorf("a missing program: %v, hint %q", err, Hint(err))
	}
	if left, err := os.ReadDir(run); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestBuiltinAndMetrics(t *testing.T) {
	granted, silent := block(t, "granted", "metered"), block(t, "silent", "metered")
	granted.Grants = []string{"metrics"}
	r := newRig(t, nil, Block{Kind: Talk, Name: "b", Source: "builtin:bundled"}, granted, silent)
	if answer, _ := r.talk("bundled", "hello"); answer != "hello" {
		t.Errorf("the bundled plugin answers %q", answer)
	}
	all := r.set.Metrics(t.Context())
	if len(all) != 1 || all[0].ID != "talk.granted" || all[0].Name != "granted" || all[0].Err != nil || len(all[0].Metrics) != 1 {
		t.Fatalf("metrics %+v", all)
	}
	if m := all[0].Metrics[0]; m.Name != "temperature" || m.Counter || len(m.Samples) != 1 || m.Samples[0].Value != 36.6 {
		t.Errorf("metric %+v", m)
	}
	if n := strings.Count(r.log.String(), "plugin is not pinned"); n != 2 {
		t.Errorf("%d warnings about programs that are not pinned", n)
	}
}

// A plugin that an operator reloads gets a new process, also when nothing changed, and says who did that. What operators do counts as
// no restart.
func TestReasonsOfOperators(t *testing.T) {
	talk := block(t, "echo", "echo")
	filter := Block{Kind: Filter, Name: "f", Source: self(t), Args: []string{"mode=filter", ""}, Stages: []core.Stage{core.StageTable}}
	r := newRig(t, nil, talk, filter)
	for name, b := range map[string]Block{"echo": talk, "f": filter} {
		before := r.status(name)
		if err := r.set.Replace(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if st := r.status(name); st.PID == before.PID || st.Reason != "an operator reloaded it" {
			t.Errorf("%s runs as %d, before as %d: %q", name, st.PID, before.PID, st.Reason)
		}
		b.Env = map[string]string{"OTHER": "1"}
		if err := r.set.Replace(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if st := r.status(name); st.Reason != "its configuration changed" {
			t.Errorf("%s: %q", name, st.Reason)
		}
	}
	for _, act := range []struct {
		do   func(context.Context, string) error
		want string
	}{{r.set.Restart, "an operator restarted it"}, {r.set.Disable, "an operator disabled it"}, {r.set.Enable, ""}} {
		if err := act.do(t.Context(), "echo"); err != nil {
			t.Fatal(err)
		}
		if st := r.status("echo"); act.want != "" && st.Reason != act.want {
			t.Errorf("%q, want %q", st.Reason, act.want)
		}
	}
	if st := r.status("echo"); st.Restarts != 0 || st.State != Running {
		t.Errorf("%v, %d restarts by operators", st.State, st.Restarts)
	}
}

//go:build unix

package plugins

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/discv5/host/core"
	"github.com/discv5/host/plugins/internal/supervise"
	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/hashicorp/go-hclog"
)

// rig is a host with plugins, and a peer.
type rig struct {
	t    *testing.T
	host *core.Node
	peer *core.Node
	set  *Set
	log  *output

	mu     sync.Mutex
	events []Event
}

// output collects a log.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) { o.mu.Lock(); defer o.mu.Unlock(); return o.b.Write(b) }
func (o *output) String() string              { o.mu.Lock(); defer o.mu.Unlock(); return o.b.String() }

func listen(t testing.TB, change func(*core.Config)) *core.Node {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	c := core.Config{
		PrivateKey: key, NewKey: true, Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}, NoRefresh: true,
		Talk: core.TalkLimits{Deadline: 10 * time.Second, PerPeer: 8192, InFlight: 16_384},
	}
	if change != nil {
		change(&c)
	}
	n, err := core.Listen(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

// runDir is a directory whose path is short enough for sockets.
func runDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "run")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func self(t testing.TB) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// block is a talk plugin that behaves as mode says and serves the protocol of its name.
func block(t testing.TB, name, mode string) Block {
	return Block{Kind: Talk, Name: name, Source: self(t), Args: []string{"mode=" + mode, name}, Env: map[string]string{"GORACE": "halt_on_error=1"}, MaxPerPeer: 1024}
}

// with sets keys of the config block.
func (b Block) with(keys map[string]any) Block {
	text, err := json.Marshal(keys)
	if err != nil {
		panic(err)
	}
	b.ConfigText = string(text)
	b.Configure = func(*pluginpb.Description) ([]byte, error) { return text, nil }
	return b
}

// quick are times that suit tests.
func quick(c *Config) {
	c.policy = supervise.Policy{MinBackoff: 20 * time.Millisecond, MaxBackoff: 40 * time.Millisecond}
	c.timing = timing{
		start: 5 * time.Second, configure: 500 * time.Millisecond, drain: 500 * time.Millisecond, grace: 200 * time.Millisecond,
		health: 50 * time.Millisecond, healthTimeout: 300 * time.Millisecond,
	}
}

// newRig starts a host with plugins, and waits until each of them was tried.
func newRig(t *testing.T, change func(*Config), blocks ...Block) *rig {
	t.Helper()
	r := &rig{t: t, log: new(output)}
	cfg := Config{
		Blocks: blocks, DataDir: t.TempDir(), RunDir: runDir(t), HostVersion: "test", BuiltinPath: self(t), BuiltinArgs: []string{"mode=echo"},
		Log: hclog.New(&hclog.LoggerOptions{Output: r.log, Level: hclog.Debug}),
		OnEvent: func(e Event) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.events = append(r.events, e)
		},
	}
	quick(&cfg)
	if change != nil {
		change(&cfg)
	}
	set, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.set = set
	r.host = listen(t, func(c *core.Config) {
		c.Filters, c.Store, c.Fields = set.Filters(), set.Store(), []enr.Entry{enr.WithEntry("operator", []byte("x"))}
	})
	r.peer = listen(t, nil)
	t.Cleanup(func() {
		if err := set.Close(); err != nil {
			t.Error("close:", err)
		}
		if left, err := os.ReadDir(cfg.RunDir); err != nil || len(left) > 0 {
			t.Errorf("the run directory has %v, %v after the end", left, err)
		}
		if t.Failed() {
			t.Logf("log:\n%.6000s", r.log)
		}
	})
	if err := set.Run(r.host); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := set.Settle(ctx); err != nil {
		t.Fatal("settle:", err)
	}
	if _, err := r.peer.Ping(ctx, r.host.Self()); err != nil {
		t.Fatal("ping:", err)
	}
	return r
}

func (r *rig) status(name string) Status {
	r.t.Helper()
	for _, st := range r.set.Status() {
		if st.Name == name {
			return st
		}
	}
	r.t.Fatalf("no plugin %q", name)
	return Status{}
}

// await waits until the status of a plugin is as wanted.
func (r *rig) await(name, what string, ok func(Status) bool) Status {
	r.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); ; <-tick.C {
		st := r.status(name)
		if ok(st) {
			return st
		}
		if time.Now().After(end) {
			r.t.Fatalf("plugin %s: not within 20 s: %s; it is %v (%s), last exit %q, lines %q", name, what, st.State, st.Reason, st.LastExit, append(st.ExitLines, st.LastLines...))
		}
	}
}

func (r *rig) awaitState(name string, s State) Status {
	r.t.Helper()
	return r.await(name, "it is "+s.String(), func(st Status) bool { return st.State == s })
}

// talk asks the host as the peer.
func (r *rig) talk(protocol, payload string) (string, time.Duration) {
	r.t.Helper()
	start := time.Now()
	answer, err := r.peer.Talk(r.t.Context(), r.host.Self(), protocol, []byte(payload))
	if err != nil {
		r.t.Errorf("talk %s: %v", protocol, err)
	}
	return string(answer), time.Since(start)
}

// wantEmpty asks a plugin that cannot answer: the peer has its empty answer within the deadline and a bit.
func (r *rig) wantEmpty(protocol string) {
	r.t.Helper()
	if answer, took := r.talk(protocol, "x"); answer != "" || took > 300*time.Millisecond+slack {
		r.t.Errorf("%s answered %q after %v; want nothing, within 300 ms", protocol, answer, took)
	}
}

// slack is what a busy machine may take.
const slack = 400 * time.Millisecond

// load makes the peer ping the host and ask a good plugin all the time.
type load struct {
	stop   chan struct{}
	wg     sync.WaitGroup
	pings  atomic.Int64
	talks  atomic.Int64
	lost   atomic.Int64
	empty  atomic.Int64
	first  sync.Once
	reason error
}

// load starts the load; its check at the end says that nobody was disturbed.
func (r *rig) load(protocol string) *load {
	l := &load{stop: make(chan struct{})}
	run := func(f func() error) {
		l.wg.Go(func() {
			tick := time.NewTicker(2 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-l.stop:
					return
				case <-tick.C:
				}
				if err := f(); err != nil {
					l.first.Do(func() { l.reason = err })
				}
			}
		})
	}
	run(func() error {
		_, err := r.peer.Ping(context.Background(), r.host.Self())
		l.pings.Add(1)
		if err != nil {
			l.lost.Add(1)
		}
		return err
	})
	run(func() error {
		answer, err := r.peer.Talk(context.Background(), r.host.Self(), protocol, []byte("hello"))
		l.talks.Add(1)
		switch {
		case err != nil:
			l.lost.Add(1)
		case string(answer) != "hello":
			l.empty.Add(1)
			err = fmt.Errorf("answer %q", answer)
		}
		return err
	})
	return l
}

// check ends the load when it has gone on for a while.
func (l *load) check(t *testing.T) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(5 * time.Second); (l.pings.Load() < 50 || l.talks.Load() < 50) && time.Now().Before(end); {
		<-tick.C
	}
	close(l.stop)
	l.wg.Wait()
	if l.lost.Load() > 0 || l.empty.Load() > 0 || l.pings.Load() < 50 || l.talks.Load() < 50 {
		t.Errorf("of %d pings and %d talk requests %d were lost and %d answered empty: %v", l.pings.Load(), l.talks.Load(), l.lost.Load(), l.empty.Load(), l.reason)
	}
}

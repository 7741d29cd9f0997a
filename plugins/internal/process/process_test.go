//go:build linux

package process

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/discv5/host/sdk/pluginpb"
)

// runDir is a directory whose path is short enough for sockets.
func runDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "run")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// self is the test binary.
func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// specFor makes the test binary behave.
func specFor(t *testing.T, mode string) Spec {
	return Spec{Name: "p", Path: self(t), Args: []string{"mode=" + mode}, RunDir: runDir(t), StartTimeout: 5 * time.Second}
}

// mustStart starts a plugin that the test's end stops.
func mustStart(t *testing.T, spec Spec) *Process {
	t.Helper()
	p, err := Start(t.Context(), spec)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(func() { p.Stop(0) })
	return p
}

// describe is a call over the wire.
func describe(t *testing.T, p *Process) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	d, err := pluginpb.NewPluginClient(p.Conn()).Describe(ctx, &pluginpb.DescribeRequest{})
	if err != nil || d.Name != "test" {
		t.Fatalf("describe gave %v, %v", d, err)
	}
}

func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("the run directory still has %v, %v", left, err)
	}
}

// eventually waits for a condition on another process.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(5 * time.Second); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("not within 5 s: %s", what)
		}
	}
}

func TestStartAndStop(t *testing.T) {
	spec := specFor(t, "leaves on TERM")
	p := mustStart(t, spec)
	describe(t, p)
	if p.ExitError() != nil {
		t.Error("a running process has an exit error:", p.ExitError())
	}
	if u, ok := p.Usage(); !ok || u.RSS < 1<<20 {
		t.Errorf("usage is %+v, %v", u, ok)
	}
	dirs, _ := filepath.Glob(filepath.Join(spec.RunDir, "p-*"))
	if len(dirs) != 1 {
		t.Fatalf("directories: %q", dirs)
	}
	if info, err := os.Stat(dirs[0]); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory is %v, %v", info.Mode(), err)
	}
	if sockets, _ := filepath.Glob(filepath.Join(dirs[0], "plugin[0-9]*")); len(sockets) != 1 {
		t.Errorf("sockets in the directory: %q", sockets)
	}
	p.Stop(5 * time.Second)
	var exit *ExitError
	if !errors.As(p.ExitError(), &exit) || !exit.Stopped || exit.Killed || exit.Status != "exit status 0" {
		t.Errorf("it ended with %#v", p.ExitError())
	}
	if last := p.LastLines(); len(last) != 1 || last[0] != "drained" {
		t.Errorf("it last said %q", last)
	}
	wantEmpty(t, spec.RunDir)
	p.Stop(time.Second) // again
}

func TestIgnoresTerm(t *testing.T) {
	p := mustStart(t, specFor(t, "ignores TERM"))
	start := time.Now()
	p.Stop(100 * time.Millisecond)
	if took := time.Since(start); took < 100*time.Millisecond || took > time.Second {
		t.Errorf("stop took %v", took)
	}
	var exit *ExitError
	if !errors.As(p.ExitError(), &exit) || !exit.Killed || exit.Status != "signal: killed" {
		t.Errorf("it ended with %#v", p.ExitError())
	}
}

func TestCrashLater(t *testing.T) {
	spec := specFor(t, "crash later")
	p := mustStart(t, spec)
	<-p.Exited()
	var exit *ExitError
	if !errors.As(p.ExitError(), &exit) || exit.Stopped || exit.Status != "exit status 2" {
		t.Errorf("it ended with %#v", p.ExitError())
	}
	if last := strings.Join(p.LastLines(), "\n"); !strings.Contains(last, "panic: later") {
		t.Errorf("it last said %q", last)
	}
	p.Stop(time.Second)
	wantEmpty(t, spec.RunDir)
}

func TestEnvironment(t *testing.T) {
	t.Setenv("PROCESS_TEST_SECRET", "host's")
	t.Setenv("A", "host's")
	spec := specFor(t, "tells")
	spec.Env = map[string]string{"A": "mine", "PLUGIN_PROTOCOL_VERSIONS": "99", pluginpb.EnvPath: "forged"}
	spec.Args = append(spec.Args, "second argument")
	p := mustStart(t, spec)
	said := strings.Join(p.LastLines(), "\n")
	for _, want := range []string{
		"env A=mine\n", "env PLUGIN_PROTOCOL_VERSIONS=1\n", pluginpb.EnvPath + "=" + spec.Path, "env " + pluginpb.MagicCookieKey + "=" + pluginpb.MagicCookieValue,
		"stdin /dev/null", "second argument]", "dir " + spec.RunDir + "/p-", "args [" + spec.Path,
	} {
		if !strings.Contains(said+"\n", want) {
			t.Errorf("%q is missing in\n%s", want, said)
		}
	}
	for _, bad := range []string{"host's", "PATH=/", "HOME="} {
		if strings.Contains(strings.ReplaceAll(said, pluginpb.EnvPath+"=/", ""), bad) {
			t.Errorf("the host's environment leaks: %q in\n%s", bad, said)
		}
	}
}

// Whatever a program does instead of starting, the error says what, and nothing is left.
func TestFailedStarts(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	elf := "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 9) + "\x02\x00\xff\xff" + strings.Repeat("\x00", 64)
	wrongSum := strings.Repeat("00", 32)
	listening := filepath.Join(runDir(t), "s")
	l, err := net.Listen("unix", listening)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	tests := []struct {
		name    string
		change  func(*Spec)
		kind    error
		refused bool
		text    string // of the error
	}{
		{"crash", nil, ErrEnded, false, `exit status 3; it last said "config: cannot open /etc/foo"`},
		{"panic", nil, ErrEnded, false, `exit status 2; it last said "panic: at start`},
		{"silent", func(s *Spec) { s.StartTimeout = 200 * time.Millisecond }, ErrSilent, false, "200ms"},
		{"closed", nil, ErrNotPlugin, true, "closed its standard output"},
		{"not a plugin", nil, ErrNotPlugin, true, "Usage: frobnicate"},
		{"endless line", nil, ErrNotPlugin, true, "xxx"},
		{"elsewhere", nil, ErrNotPlugin, true, "/run/docker.sock"},
		{"tcp", nil, ErrNotPlugin, true, "127.0.0.1:22"},
		{"link elsewhere", func(s *Spec) { s.Args = append(s.Args, listening) }, ErrNotPlugin, true, "outside of its directory"},
		{"deaf", nil, ErrConnect, false, "no socket"},
		{"file", nil, ErrConnect, false, "no socket"},
		{"netrpc", nil, ErrNotPlugin, true, "does not speak gRPC"},
		{"other core", nil, ErrNotPlugin, true, "2|1|unix"},
		{"another version", nil, ErrVersion, true, `it speaks "7", this host 1`},
		{"bad checksum", func(s *Spec) { s.SHA256 = wrongSum }, ErrChecksum, true, wrongSum},
		{"no checksum", func(s *Spec) { s.SHA256 = "abc" }, ErrChecksum, true, "no SHA-256"},
		{"pinned script", func(s *Spec) { s.Path, s.SHA256 = file("script", "#!/bin/sh\n", 0o700), wrongSum }, ErrScript, true, "script"},
		{"missing", func(s *Spec) { s.Path = filepath.Join(dir, "missing") }, ErrNotFound, false, "does not exist"},
		{"directory", func(s *Spec) { s.Path = dir }, ErrDirectory, true, "directory"},
		{"device", func(s *Spec) { s.Path = os.DevNull }, ErrNotExecutable, true, "executable"},
		{"not executable", func(s *Spec) { s.Path = file("data", "x", 0o600) }, ErrNotExecutable, true, "executable"},
		{"text", func(s *Spec) { s.Path = file("text", "hello", 0o700) }, ErrArchitecture, true, "exec format error"},
		{"wrong machine", func(s *Spec) { s.Path = file("elf", elf, 0o700) }, ErrArchitecture, true, "exec format error"},
		{"no interpreter", func(s *Spec) { s.Path = file("script2", "#!/no/such/interpreter\n", 0o700) }, ErrNotFound, false, "does not exist"},
		{"run directory missing", func(s *Spec) { s.RunDir = filepath.Join(dir, "none") }, ErrRunDir, false, "no such file"},
		{"run directory too long", func(s *Spec) {
			s.RunDir = filepath.Join(dir, strings.Repeat("d", 100))
			os.Mkdir(s.RunDir, 0o700)
		}, ErrRunDir, false, "is the most"},
		{"name", func(s *Spec) { s.Name = "../x" }, ErrRunDir, false, "cannot be part"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			spec := specFor(t, test.name)
			if test.change != nil {
				test.change(&spec)
			}
			start := time.Now()
			p, err := Start(t.Context(), spec)
			if p != nil {
				p.Stop(0)
			}
			var e *StartError
			if !errors.As(err, &e) || !errors.Is(err, test.kind) {
				t.Fatalf("start: %v, want %v", err, test.kind)
			}
			if e.Refused() != test.refused || !strings.Contains(err.Error(), test.text) || strings.Contains(err.Error(), "\n") {
				t.Errorf("refused %v, error %q; want %v, %q", e.Refused(), err, test.refused, test.text)
			}
			if took := time.Since(start); took > 3*time.Second {
				t.Errorf("it took %v", took)
			}
			if test.kind != ErrRunDir {
				wantEmpty(t, spec.RunDir)
			}
		})
	}
}

func TestStartIsCancelled(t *testing.T) {
	for _, after := range []time.Duration{0, time.Millisecond, 2 * time.Millisecond, 50 * time.Millisecond} {
		ctx, cancel := context.WithCancel(t.Context())
		if after == 0 {
			cancel()
		}
		time.AfterFunc(after, cancel)
		spec := specFor(t, "silent")
		start := time.Now()
		if _, err := Start(ctx, spec); !errors.Is(err, context.Canceled) {
			t.Errorf("start that is cancelled after %v: %v", after, err)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("start that is cancelled after %v took %v", after, took)
		}
		wantEmpty(t, spec.RunDir)
	}
}

// The bytes that were checked are executed, whatever is done to the file meanwhile.
func TestPinnedProgramIsSwapped(t *testing.T) {
	program := filepath.Join(t.TempDir(), "program")
	b, err := os.ReadFile(self(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, b, 0o700); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("sha256sum", program).Output()
	if err != nil {
		t.Fatal(err)
	}
	spec := specFor(t, "tells")
	spec.Path, spec.SHA256 = program, strings.Fields(string(out))[0]
	spec.checked = func() {
		if err := os.Remove(program); err != nil {
			t.Error(err)
		}
		if err := os.WriteFile(program, []byte("#!/bin/sh\necho evil >&2\n"), 0o700); err != nil {
			t.Error(err)
		}
	}
	p := mustStart(t, spec)
	describe(t, p)
	if said := strings.Join(p.LastLines(), "\n"); strings.Contains(said, "evil") || !strings.Contains(said, pluginpb.EnvPath+"="+program) {
		t.Errorf("it said %s", said)
	}
	p.Stop(0)
	if _, err := Start(t.Context(), spec); !errors.Is(err, ErrScript) {
		t.Errorf("the exchanged program: %v", err)
	}
}

// What a plugin's descendants keep open delays nobody.
func TestGrandchildren(t *testing.T) {
	for _, mode := range []string{"grandchild keeps stderr", "child in the group"} {
		for _, how := range []string{"killed", "stopped"} {
			t.Run(mode+" "+how, func(t *testing.T) {
				p := mustStart(t, specFor(t, mode))
				eventually(t, "the child tells its number", func() bool { return len(p.LastLines()) > 0 })
				child, err := strconv.Atoi(p.LastLines()[0])
				if err != nil {
					t.Fatal(err)
				}
				proc, err := os.FindProcess(child)
				if err != nil {
					t.Fatal(err)
				}
				defer proc.Kill()
				start := time.Now()
				if how == "killed" {
					if self, err := os.FindProcess(p.PID()); err != nil || self.Kill() != nil {
						t.Fatal(err)
					}
					<-p.Exited()
				}
				p.Stop(time.Second)
				if took := time.Since(start); took > 600*time.Millisecond {
					t.Errorf("it took %v", took)
				}
				eventually(t, "the child is gone", func() bool { _, there := identify(child); return !there })
			})
		}
	}
}

// However much a plugin writes, it is read, and the log stays readable.
func TestFloods(t *testing.T) {
	var log output
	spec := specFor(t, "floods")
	spec.Log = log.logger()
	p := mustStart(t, spec)
	describe(t, p)
	eventually(t, "everything is read", func() bool {
		return slices.Contains(p.LastLines(), "survived") && p.Output().Cut == 2
	})
	p.Stop(0)
	text := log.String()
	if n := strings.Count(text, "\n"); n > 1200 {
		t.Errorf("%d lines in the log", n)
	}
	for _, want := range []string{`[WARN]  careful\nnow: plugin=p n=1`, "[INFO]  1: plugin=p", "log takes: plugin=p count=", "cut=10420224"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in the log, which begins %.3000q", want, regexp.MustCompile(`y{10,}`).ReplaceAllString(text, "y…"))
		}
	}
	if got := p.Output(); got.Lines < 3004 || got.Bytes < 11<<20 || got.Cut != 2 || got.Unlogged < 1000 {
		t.Errorf("counted %+v", got)
	}
}

// What a Go plugin prints after the handshake comes over gRPC.
func TestPrints(t *testing.T) {
	var log output
	spec := specFor(t, "prints")
	spec.Log = log.logger()
	p := mustStart(t, spec)
	describe(t, p)
	eventually(t, "both lines are logged", func() bool {
		return strings.Contains(log.String(), "[DEBUG] by print: plugin=p") && strings.Contains(log.String(), "[INFO]  by standard error: plugin=p")
	})
	if len(p.LastLines()) != 2 {
		t.Errorf("kept %q", p.LastLines())
	}
}

// A plugin that prints all the time is read at the rate of one that writes to its pipe.
func TestPrintsAllTheTime(t *testing.T) {
	p := mustStart(t, specFor(t, "prints all the time"))
	describe(t, p)
	start := time.Now()
	<-time.After(2 * time.Second)
	got, took := p.Output().Lines, time.Since(start).Seconds()
	most := (outputBurst + outputRate*(took+1)) / lineCost
	t.Logf("%d lines in %.1f s", got, took)
	if got < linesBurst || float64(got) > most {
		t.Errorf("%d lines were read in %.1f s, want at most %.0f", got, took, most)
	}
	p.Stop(0)
}

// Many starts and stops of all kinds leave nothing behind.
func TestNothingIsLeft(t *testing.T) {
	const cycles = 200
	spec := specFor(t, "")
	modes := []string{"leaves on TERM", "ignores TERM", "crash", "another version", "crash later", "leaves after the handshake", "", "not a plugin"}
	cycle := func(mode string) {
		spec.Args = []string{"mode=" + mode}
		p, err := Start(t.Context(), spec)
		if err != nil {
			return
		}
		if mode == "crash later" {
			<-p.Exited()
		}
		p.Stop(20 * time.Millisecond)
	}
	for _, mode := range modes {
		cycle(mode)
	}
	fds := func() int { d, _ := os.ReadDir("/proc/self/fd"); return len(d) }
	goroutines, files := runtime.NumGoroutine(), fds()
	start := time.Now()
	for i := range cycles {
		cycle(modes[i%len(modes)])
	}
	t.Logf("%d cycles took %v", cycles, time.Since(start))
	defer func() {
		if t.Failed() {
			stacks := make([]byte, 1<<20)
			t.Logf("%s", stacks[:runtime.Stack(stacks, true)])
		}
	}()
	eventually(t, "goroutines end", func() bool { return runtime.NumGoroutine() <= goroutines+2 })
	if got := fds(); got > files+2 {
		t.Errorf("%d files are open, %d were", got, files)
	}
	for _, pid := range processes() {
		if f := stat(pid); len(f) > 1 && f[0] == "Z" && f[1] == strconv.Itoa(os.Getpid()) {
			t.Errorf("process %d is a zombie", pid)
		}
	}
	wantEmpty(t, spec.RunDir)
}

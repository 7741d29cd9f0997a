package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/discv5/host/sdk/pluginpb"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin/runner"
)

const (
	maxHandshake = 4 << 10                // bytes of the first line on standard output
	pipeGrace    = 200 * time.Millisecond // for the pipes of a process that has ended
)

// run is one process as go-plugin sees it.
type run struct {
	spec    Spec
	img     *image
	dir     string
	journal *journal
	cmd     *exec.Cmd

	// set by Start
	pid        int
	started    time.Time
	outR, errR *os.File
	life       context.Context // ends when the process has
	reap       context.CancelFunc
	printed    *flow         // what comes over gRPC
	exited     chan struct{} // and when its output has been read
	handshake  chan []byte   // its first line, once

	mu      sync.Mutex
	live    bool // there is a process to signal
	ended   bool // there was one
	doomed  bool // it is to be killed as soon as it lives
	stopped bool // the host wanted it to end
	killed  bool
	killAt  *time.Timer
	first   []byte // the line that went to handshake
	network string // where it listens
	address string
	state   *os.ProcessState
}

var _ runner.Runner = (*run)(nil)

func newRun(spec Spec, img *image, dir string) *run {
	life, reap := context.WithCancel(context.Background())
	return &run{
		spec: spec, img: img, dir: dir, journal: newJournal(spec.Name, spec.Log),
		life: life, reap: reap, printed: newFlow(life), exited: make(chan struct{}), handshake: make(chan []byte, 1),
	}
}

// adopt is the RunnerFunc: it takes over the environment that go-plugin wants.
func (r *run) adopt(_ hclog.Logger, wanted *exec.Cmd, _ string) (runner.Runner, error) {
	cmd := &exec.Cmd{Path: r.img.path, Args: append([]string{r.spec.Path}, r.spec.Args...), Dir: r.spec.Dir}
	if cmd.Dir == "" {
		cmd.Dir = r.dir
	}
	cmd.Env = []string{} // never nil, which would be the host's
	for k, v := range r.spec.Env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	cmd.Env = append(cmd.Env, wanted.Env...) // of two values the last one counts
	cmd.Env = append(cmd.Env, socketDirVar+"="+r.dir, pluginpb.EnvPath+"="+r.spec.Path)
	if level := r.spec.Log.GetLevel(); level >= hclog.Trace && level <= hclog.Error {
		cmd.Env = append(cmd.Env, pluginpb.EnvLogLevel+"="+level.String())
	}
	prepare(cmd)
	r.cmd = cmd
	return r, nil
}

// Start starts the process.
func (r *run) Start(context.Context) (err error) {
	var outW, errW *os.File
	if r.outR, outW, err = os.Pipe(); err != nil {
		return err
	}
	if r.errR, errW, err = os.Pipe(); err != nil {
		outW.Close()
		r.outR.Close()
		return err
	}
	r.cmd.Stdout, r.cmd.Stderr = outW, errW // files, so that Wait does not wait for their ends
	result := make(chan error)
	go r.watch(result)
	err = <-result
	outW.Close()
	errW.Close()
	if err != nil {
		r.outR.Close()
		r.errR.Close()
		return err
	}
	_ = writeRecord(r.dir, processFile, r.pid) // it may have ended already
	return nil
}

// watch starts the process, waits for it and reaps it, all on one thread: on Linux the kernel kills the process when the
// thread that started it ends (golang.org/issue/27505).
func (r *run) watch(result chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r.started = time.Now()
	if err := r.cmd.Start(); err != nil {
		result <- execError(r.spec, err)
		return
	}
	r.pid = r.cmd.Process.Pid
	r.mu.Lock()
	r.live = true
	doomed := r.doomed
	r.mu.Unlock()
	if doomed {
		r.kill(0)
	}
	result <- nil

	var readers sync.WaitGroup
	readers.Go(r.readStdout)
	readers.Go(func() { r.drain(r.errR, &splitter{emit: r.journal.stderr}) })

	await(r.cmd, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.live, r.ended = false, true
		killLeftovers(r.pid)
		if r.killAt != nil {
			r.killAt.Stop()
		}
	})
	r.mu.Lock()
	r.state = r.cmd.ProcessState
	r.mu.Unlock()
	r.reap()

	late := time.AfterFunc(pipeGrace, func() { r.outR.Close(); r.errR.Close() })
	readers.Wait()
	late.Stop()
	r.outR.Close()
	r.errR.Close()
	r.journal.end()
	close(r.exited)
}

// kill makes the process end: SIGTERM now and SIGKILL after grace, to its group.
func (r *run) kill(grace time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.live {
		r.doomed = !r.ended
		return
	}
	if grace <= 0 {
		r.stopped, r.killed = true, true
		signalGroup(r.pid, syscall.SIGKILL)
		return
	}
	if !r.stopped {
		signalGroup(r.pid, syscall.SIGTERM)
	}
	r.stopped = true
	if r.killAt != nil {
		r.killAt.Stop()
	}
	r.killAt = time.AfterFunc(grace, func() { r.kill(0) })
}

func (r *run) exitError() *ExitError {
	r.mu.Lock()
	defer r.mu.Unlock()
	return &ExitError{Status: r.state.String(), Stopped: r.stopped, Killed: r.killed}
}

// readStdout hands the first line to go-plugin, and the rest to the log.
func (r *run) readStdout() {
	var first []byte
	buf := make([]byte, maxHandshake)
	for bytes.IndexByte(first, '\n') < 0 && len(first) < maxHandshake {
		n, err := r.outR.Read(buf[:maxHandshake-len(first)])
		first = append(first, buf[:n]...)
		if err != nil {
			break
		}
	}
	line, rest, _ := bytes.Cut(first, []byte("\n"))
	r.mu.Lock()
	r.first = line
	r.mu.Unlock()
	r.handshake <- line
	out := &splitter{emit: r.journal.stdout}
	_, _ = out.Write(rest)
	r.drain(r.outR, out)
}

// drain reads a pipe until its end. A plugin that writes faster than anybody could read waits.
func (r *run) drain(f *os.File, out *splitter) {
	defer out.end()
	buf := make([]byte, maxPart)
	allowed := newFlow(r.life)
	for {
		n, err := f.Read(buf)
		allowed.into(out, buf[:n])
		if err != nil {
			return
		}
	}
}

// Stdout returns the first line and then the end.
func (r *run) Stdout() io.ReadCloser { return &firstLine{from: r.handshake} }

// Stderr is empty for go-plugin: its own reader panics on some JSON lines, so they are read here.
func (r *run) Stderr() io.ReadCloser { return io.NopCloser(strings.NewReader("")) }

type firstLine struct {
	from <-chan []byte
	rest *bytes.Reader
}

func (f *firstLine) Read(b []byte) (int, error) {
	if f.rest == nil {
		f.rest = bytes.NewReader(<-f.from)
	}
	return f.rest.Read(b)
}

func (f *firstLine) Close() error { return nil }

// Wait waits for the end of the process.
func (r *run) Wait(context.Context) error { <-r.exited; return nil }

// Kill kills the process.
func (r *run) Kill(context.Context) error { r.kill(0); return nil }

// Name and ID are for go-plugin.
func (r *run) Name() string { return r.spec.Path }

// ID is the process id; empty means to go-plugin that there is no process.
func (r *run) ID() string {
	if r.pid == 0 {
		return ""
	}
	return strconv.Itoa(r.pid)
}

// Diagnose is called when the first line is no handshake. It gives the process the time to end by itself, so that its own exit status
// can be told; explain says the rest.
func (r *run) Diagnose(context.Context) string { r.settle(); return "" }

func (r *run) settle() {
	select {
	case <-r.exited:
	case <-time.After(300 * time.Millisecond):
	}
}

// explain turns what happened at the start into an error for an operator. The process has been killed.
func (r *run) explain(ctx context.Context, err error) error {
	var known *StartError
	if errors.As(err, &known) || r.pid == 0 {
		if known == nil {
			known = &StartError{Kind: ErrExec, Path: r.spec.Path, Detail: err.Error()}
		}
		return known
	}
	<-r.exited
	e := &StartError{Path: r.spec.Path, Last: r.journal.last()}
	r.mu.Lock()
	line, exit, killed := string(r.first), r.state.String(), r.killed
	r.mu.Unlock()
	silent := errors.Is(context.Cause(ctx), ErrSilent)
	if kind, detail, hint := judgeHandshake(line); kind != nil && line != "" {
		e.Kind, e.Detail, e.Hint = kind, detail, hint
		return e
	}
	switch {
	case ctx.Err() != nil && !silent:
		e.Kind = ctx.Err()
	case line == "" && !killed:
		e.Kind, e.Detail = ErrEnded, exit
		e.Hint = "run `host plugin describe` on it, and read what it says"
	case line == "" && silent:
		e.Kind, e.Detail = ErrSilent, r.spec.StartTimeout.String()
		e.Hint = "is it a plugin, or does it wait for something"
	case line == "":
		e.Kind, e.Detail = ErrNotPlugin, "it closed its standard output"
	case errors.Is(err, errElsewhere):
		e.Kind, e.Detail = ErrNotPlugin, fmt.Sprintf("%v: %q", errElsewhere, line)
		e.Hint = "a plugin listens on a unix socket in the directory " + socketDirVar
	case errors.Is(err, errNoSocket):
		e.Kind, e.Detail = ErrConnect, fmt.Sprintf("%v: %q", errNoSocket, line)
		e.Hint = "a plugin listens before it says where"
	case !killed:
		e.Kind, e.Detail = ErrEnded, exit
	default:
		e.Kind, e.Detail = ErrConnect, fmt.Sprintf("%q", line)
		if err != nil && !silent {
			e.Detail += ": " + err.Error()
		}
	}
	return e
}

// judgeHandshake says what is wrong with the line by which a plugin tells where it listens:
// 1|protocol version|network|address|grpc|…
func judgeHandshake(line string) (kind error, detail, hint string) {
	parts := strings.Split(strings.TrimSpace(line), "|")
	if len(parts) < 4 || parts[0] != "1" {
		return ErrNotPlugin, fmt.Sprintf("its first line is %.80q", line), "a plugin's first line on standard output says where it listens"
	}
	if version, err := strconv.Atoi(parts[1]); err != nil || version != pluginpb.ProtocolVersion {
		return ErrVersion, fmt.Sprintf("it speaks %.20q, this host %d", parts[1], pluginpb.ProtocolVersion), "build the plugin with the SDK of this host's version"
	}
	if len(parts) < 5 || parts[4] != "grpc" {
		return ErrNotPlugin, fmt.Sprintf("it does not speak gRPC: %.80q", line), "serve with gRPC"
	}
	return nil, "", ""
}

// execError names why the system did not execute a program.
func execError(spec Spec, err error) error {
	e := &StartError{Kind: ErrExec, Path: spec.Path, Detail: err.Error()}
	switch {
	case errors.Is(err, syscall.ENOEXEC):
		e.Kind, e.Detail = ErrArchitecture, "exec format error"
		e.Hint = fmt.Sprintf("build it for %s/%s; a script needs a first line that begins with #!", runtime.GOOS, runtime.GOARCH)
	case errors.Is(err, os.ErrPermission):
		e.Kind, e.Detail, e.Hint = ErrNotExecutable, "", "chmod +x, and look whether its file system is mounted noexec"
	case errors.Is(err, os.ErrNotExist):
		e.Kind, e.Detail, e.Hint = ErrNotFound, "", "its working directory, interpreter or dynamic loader may be missing"
	}
	return e
}

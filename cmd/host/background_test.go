package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

const (
	awaitLimit = time.Minute     // when a condition counts as never true
	stopLimit  = 2 * time.Second // a clean stop may take this long
	stopSlack  = 5 * time.Second // and so much more on a machine that is busy, under the race detector
)

type hostsKey struct{}

// running is a host in the background.
type running struct {
	cmd            *exec.Cmd
	stdout, stderr *lines
	ended          chan error
}

// lines collects the lines of an output.
type lines struct {
	mu    sync.Mutex
	more  chan struct{} // closed and replaced at every line and at the end
	lines []string
	over  bool
}

func collect(r io.Reader, done *sync.WaitGroup) *lines {
	l := &lines{more: make(chan struct{})}
	done.Go(func() {
		in := bufio.NewScanner(r)
		for in.Scan() {
			l.add(in.Text(), false)
		}
		l.add("", true)
	})
	return l
}

func (l *lines) add(line string, over bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over = over; !over {
		l.lines = append(l.lines, line)
	}
	close(l.more)
	l.more = make(chan struct{})
}

// await returns the first line that matches, from the beginning on.
func (l *lines) await(pattern *regexp.Regexp) ([]string, error) {
	limit := time.NewTimer(awaitLimit)
	defer limit.Stop()
	for seen := 0; ; {
		l.mu.Lock()
		all, over, more := l.lines, l.over, l.more
		l.mu.Unlock()
		for ; seen < len(all); seen++ {
			if m := pattern.FindStringSubmatch(all[seen]); m != nil {
				return m, nil
			}
		}
		if over {
			return nil, errors.New("the output ended before a line matched")
		}
		select {
		case <-more:
		case <-limit.C:
			return nil, errors.New("no line matched in time")
		}
	}
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

func startHost(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: start NAME [VAR=VALUE…] ARG…")
	}
	path, err := exec.LookPath("host") // testscript.Main has put it into PATH
	ts.Check(err)
	env, words := append(os.Environ(), "HOME="+ts.Getenv("HOME")), args[1:]
	full := false
	for len(words) > 1 && strings.Contains(words[0], "=") {
		full = full || words[0] == "FULL=1"
		env, words = append(env, words[0]), words[1:]
	}
	h := &running{cmd: exec.Command(path, words...), ended: make(chan error, 1)}
	h.cmd.Dir, h.cmd.Env = ts.MkAbs("."), env
	var stdout io.Reader = strings.NewReader("")
	if full {
		f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		ts.Check(err)
		defer f.Close()
		h.cmd.Stdout = f
	} else {
		stdout, err = h.cmd.StdoutPipe()
		ts.Check(err)
	}
	stderr, err := h.cmd.StderrPipe()
	ts.Check(err)
	ts.Check(h.cmd.Start())
	var reading sync.WaitGroup
	h.stdout, h.stderr = collect(stdout, &reading), collect(stderr, &reading)
	go func() {
		reading.Wait()
		h.ended <- h.cmd.Wait()
	}()
	ts.Value(hostsKey{}).(map[string]*running)[args[0]] = h
	ts.Defer(func() { _ = h.cmd.Process.Kill() }) // harmless for one that has ended
}

func hostNamed(ts *testscript.TestScript, name string) *running {
	h := ts.Value(hostsKey{}).(map[string]*running)[name]
	if h == nil {
		ts.Fatalf("no host was started as %q", name)
	}
	return h
}

func awaitLine(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || len(args) > 4 {
		ts.Fatalf("usage: await NAME stdout|stderr REGEXP [VAR]")
	}
	h := hostNamed(ts, args[0])
	from, ok := map[string]*lines{"stdout": h.stdout, "stderr": h.stderr}[args[1]]
	if !ok {
		ts.Fatalf("%s is neither stdout nor stderr", args[1])
	}
	pattern, err := regexp.Compile(args[2])
	ts.Check(err)
	match, err := from.await(pattern)
	if err != nil {
		ts.Fatalf("await %s %s %q: %v\n-- stdout\n%s\n-- stderr\n%s", args[0], args[1], args[2], err, h.stdout, h.stderr)
	}
	if len(args) == 4 {
		ts.Setenv(args[3], match[len(match)-1])
	}
}

func endHost(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]os.Signal{"TERM": syscall.SIGTERM, "INT": os.Interrupt, "KILL": os.Kill}
	if neg || len(args) < 2 || len(args) > 3 || signals[args[1]] == nil {
		ts.Fatalf("usage: end NAME TERM|INT|KILL [STATUS]")
	}
	h, want := hostNamed(ts, args[0]), "0"
	if len(args) == 3 {
		want = args[2]
	}
	begun := time.Now()
	ts.Check(h.cmd.Process.Signal(signals[args[1]]))
	var err error
	limit := time.NewTimer(awaitLimit)
	defer limit.Stop()
	select {
	case err = <-h.ended:
	case <-limit.C:
		ts.Fatalf("%s does not end", args[0])
	}
	if args[1] == "KILL" {
		return
	}
	if took := time.Since(begun); took > stopLimit+stopSlack {
		ts.Fatalf("%s took %v to stop, and %v is the limit", args[0], took, stopLimit)
	}
	if got := fmt.Sprint(h.cmd.ProcessState.ExitCode()); got != want {
		ts.Fatalf("%s ended with status %s (%v), want %s\n-- stderr\n%s", args[0], got, err, want, h.stderr)
	}
}

func endedHost(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: ended NAME STATUS")
	}
	h := hostNamed(ts, args[0])
	limit := time.NewTimer(awaitLimit)
	defer limit.Stop()
	select {
	case <-h.ended:
	case <-limit.C:
		ts.Fatalf("%s does not end", args[0])
	}
	if got := fmt.Sprint(h.cmd.ProcessState.ExitCode()); got != args[1] {
		ts.Fatalf("%s ended with status %s, want %s\n-- stderr\n%s", args[0], got, args[1], h.stderr)
	}
}

func checkStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status STATUS ARG…")
	}
	got := "0"
	if err := ts.Exec("host", args[1:]...); err != nil {
		ended, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("host %v: %v", args[1:], err)
		}
		got = fmt.Sprint(ended.ExitCode())
	}
	if got != args[0] {
		ts.Fatalf("host %v ended with status %s, want %s", args[1:], got, args[0])
	}
}

func checkMode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mode FILE OCTAL")
	}
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[1] {
		ts.Fatalf("%s has the mode %s, want %s", args[0], got, args[1])
	}
}

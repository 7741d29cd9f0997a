//go:build linux

package plugins

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"testing"
	"time"
)

// runs tells whether a process is more than a number that nobody has asked for yet.
func runs(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := bytes.Cut(b, []byte(") "))
	return err == nil && len(rest) > 0 && rest[0] != 'Z' && rest[0] != 'X'
}

// A host that is killed takes its plugins with it, and the next one removes what they leave.
func TestHostIsKilled(t *testing.T) {
	dir := runDir(t)
	host := exec.Command(self(t), "mode=host", dir)
	host.Stderr = os.Stderr
	out, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	var pids []int
	for lines := bufio.NewScanner(out); len(pids) < 2 && lines.Scan(); {
		pid, err := strconv.Atoi(lines.Text())
		if err != nil || pid == 0 {
			t.Fatalf("%q, %v", lines.Text(), err)
		}
		pids = append(pids, pid)
	}
	if err := host.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	_ = host.Wait()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for _, pid := range pids {
		for runs(pid) {
			if time.Since(start) > time.Second {
				t.Fatalf("plugin %d lives a second after its host", pid)
			}
			<-tick.C
		}
	}
	t.Logf("the plugins were gone after %v", time.Since(start))

	s, err := New(Config{DataDir: dir + "/data", RunDir: dir + "/run"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(listen(t, nil)); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if left, err := os.ReadDir(dir + "/run"); err != nil || len(left) > 0 {
		t.Errorf("the next host left %v, %v", left, err)
	}
}

// Many incarnations leave nothing behind in the host.
func TestNothingIsLeft(t *testing.T) {
	r := newRig(t, nil, block(t, "p", "echo"))
	cycle := func(i int) {
		var err error
		switch i % 4 {
		case 0, 1:
			err = r.set.Restart(t.Context(), "p")
		case 2:
			err = r.set.Disable(t.Context(), "p")
		case 3:
			err = r.set.Enable(t.Context(), "p")
		}
		if err != nil {
			t.Error(err)
		}
	}
	settled := func() bool { return len(r.set.all()) == 1 && !r.retiring() }
	for i := range 4 {
		cycle(i)
	}
	r.await("p", "the old ones are gone", func(Status) bool { return settled() })
	fds := func() int { d, _ := os.ReadDir("/proc/self/fd"); return len(d) }
	goroutines, files := runtime.NumGoroutine(), fds()
	const cycles = 60
	for i := range cycles {
		cycle(i)
	}
	r.await("p", "goroutines end", func(Status) bool { return settled() && runtime.NumGoroutine() <= goroutines+3 })
	if got := fds(); got > files+3 {
		t.Errorf("%d files are open after %d cycles, %d were before", got, cycles, files)
	}
	if answer, _ := r.talk("p", "hello"); answer != "hello" {
		t.Errorf("answer %q", answer)
	}
}

// retiring tells whether an incarnation is still drained behind another.
func (r *rig) retiring() bool {
	for _, k := range r.set.all() {
		k.mu.Lock()
		n := len(k.now.retiring)
		k.mu.Unlock()
		if n > 0 {
			return true
		}
	}
	return false
}

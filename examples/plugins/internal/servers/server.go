package servers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// startTime bounds the start of a server, and its recovery after a kill.
const startTime = 30 * time.Second

// Server is a running server of a test.
type Server struct {
	Dir    string // its files
	Socket string // the path of its Unix socket

	t     testing.TB
	args  []string
	ready func(ctx context.Context, socket string) error
	cmd   *exec.Cmd
	life  io.Closer // its end is the server's
	pid   int
}

// guardian runs a server until its own stdin ends, so that no server outlives its test.
const guardian = `"$@" >>"$LOG" 2>&1 </dev/null & pid=$!; echo $pid; cat >/dev/null; kill -9 $pid 2>/dev/null; wait $pid 2>/dev/null`

// folder makes a folder with a short path, as sockets need it.
func folder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "servers")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// Start starts the server, again after Kill. It returns when the server answers.
func (s *Server) Start() {
	s.t.Helper()
	deadline := time.Now().Add(startTime)
	for {
		err := s.launch()
		if err == nil {
			if err = s.await(deadline); err == nil {
				return
			}
			s.Kill()
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(s.Dir, "log"))
			s.t.Fatalf("the server %q does not start: %v\n%s", s.args[0], err, log)
		}
	}
}

func (s *Server) launch() error {
	s.cmd = exec.Command("/bin/sh", append([]string{"-c", guardian, "sh"}, s.args...)...)
	s.cmd.Dir = s.Dir
	s.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LOG=" + filepath.Join(s.Dir, "log"), "LC_ALL=C"}
	own(s.cmd)
	stdin, err := s.cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	s.life = stdin
	line, err := bufio.NewReader(out).ReadString('\n')
	if err == nil {
		s.pid, err = strconv.Atoi(strings.TrimSpace(line))
	}
	if err != nil {
		s.Kill()
	}
	return err
}

// await waits until the server answers, or has ended.
func (s *Server) await(deadline time.Time) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		err := s.ready(ctx, s.Socket)
		cancel()
		switch {
		case err == nil:
			return nil
		case !alive(s.pid):
			return fmt.Errorf("it has ended: %w", err)
		case time.Now().After(deadline):
			return err
		}
		<-tick.C
	}
}

// Kill ends the server as a crash would, and waits for that.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.life.Close() // the guardian sees it
	_ = s.cmd.Wait()   // it was killed
	s.cmd = nil
}

// dials tells whether something listens on a socket.
func dials(ctx context.Context, socket string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "unix", socket)
}

// find looks for a program: named by an environment variable, in the PATH, or in some folders.
func find(variable, name string, folders ...string) (string, error) {
	if named := os.Getenv(variable); named != "" {
		if info, err := os.Stat(named); err == nil && info.IsDir() {
			named = filepath.Join(named, name)
		}
		return exec.LookPath(named)
	}
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, pattern := range folders {
		matches, err := filepath.Glob(filepath.Join(pattern, name))
		if err != nil {
			return "", err
		}
		if len(matches) > 0 {
			return matches[len(matches)-1], nil
		}
	}
	return "", errors.New("there is no " + name)
}

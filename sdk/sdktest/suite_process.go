package sdktest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// process checks what a program owes to whoever starts it.
func (s *suiteRun) process(t T) {
	t.Run("by hand", func(t T) {
		ctx, cancel := context.WithTimeout(s.ctx, startTime)
		defer cancel()
		cmd := exec.CommandContext(ctx, s.source.Path, s.source.Args...)
		cmd.Env = s.source.Env
		if cmd.Env == nil {
			cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
		}
		cmd.WaitDelay = time.Second
		group(cmd)
		cmd.Cancel = func() error { killGroup(cmd); return nil }
		said, err := cmd.CombinedOutput()
		if err == nil || ctx.Err() != nil || len(strings.TrimSpace(string(said))) == 0 {
			t.Errorf("started by hand, it must say what it is and end with another status than 0: %q, %v", said, err)
		}
	})
	t.Run("socket", func(t T) {
		x := s.begin(t)
		if !x.process.below() {
			t.Errorf("it listens on %s %q; the host connects only to unix sockets in PLUGIN_UNIX_SOCKET_DIR, which was %q",
				x.process.network, x.process.address, x.process.folder)
		}
	})
	t.Run("health service", func(t T) {
		x := s.begin(t)
		ctx, cancel := context.WithTimeout(x.ctx, describeTime)
		defer cancel()
		r, err := grpc_health_v1.NewHealthClient(x.conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: "plugin"})
		if err != nil || r.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
			t.Errorf(`grpc.health.v1.Health/Check of "plugin": %v %v, not SERVING`, r.GetStatus(), err)
		}
	})
	t.Run("stdio service", func(t T) {
		x := s.start(t)
		stream, err := x.conn.NewStream(x.ctx, &grpc.StreamDesc{ServerStreams: true}, "/plugin.GRPCStdio/StreamStdio")
		if err == nil {
			err = stream.SendMsg(&emptypb.Empty{})
		}
		if err == nil {
			err = stream.CloseSend()
		}
		if err != nil {
			t.Fatalf("plugin.GRPCStdio/StreamStdio: %v", err)
		}
		ended := make(chan error, 1)
		go func() {
			for {
				if err := stream.RecvMsg(&emptypb.Empty{}); err != nil {
					ended <- err
					return
				}
			}
		}()
		timer := time.NewTimer(300 * time.Millisecond)
		defer timer.Stop()
		select {
		case err := <-ended:
			if status.Code(err) == codes.Unimplemented {
				return // the host reads stdout and stderr
			}
			t.Errorf("plugin.GRPCStdio/StreamStdio must stay open as long as the plugin runs, and ended: %v", err)
		case <-timer.C:
		}
	})
	t.Run("shutdown", func(t T) {
		x := s.start(t)
		ctx, cancel := context.WithTimeout(x.ctx, drainTime)
		defer cancel()
		err := shutdown(ctx, x.conn) // the answer and the end may cross
		if status.Code(err) == codes.Unimplemented {
			x.terminate() // as the host does
		}
		if endErr := x.waitEnd(drainTime); endErr != nil {
			t.Fatalf("after plugin.GRPCController/Shutdown (%v): %v", err, endErr)
		}
		if x.process.status != nil {
			t.Errorf("after plugin.GRPCController/Shutdown it ended with %v, not with exit status 0", x.process.status)
		}
		if left, err := os.ReadDir(x.process.folder); err != nil || len(left) > 0 {
			t.Errorf("it left %d files in the folder of its socket (%v)", len(left), err)
		}
	})
	t.Run("stdout", func(t T) {
		x := s.start(t)
		if err := x.drain(); err != nil {
			t.Fatalf("drain: %v", err)
		}
		x.close()
		if said := x.process.extra.String(); said != "" {
			t.Errorf("it printed more than the handshake line on stdout: %.200q", said)
		}
	})
	t.Run("parent dies", func(t T) {
		if runtime.GOOS == "windows" {
			t.Logf("not checked on %s", runtime.GOOS)
			return
		}
		if err := s.orphan(); err != nil {
			t.Errorf("%v", err)
		}
	})
}

// orphan starts the program through a shell, kills the shell, and waits for the program to end.
func (s *suiteRun) orphan() error {
	folder, err := os.MkdirTemp("", "sdktest")
	if err != nil {
		return err
	}
	args := append([]string{"-c", `"$@" & wait`, "sh", s.source.Path}, s.source.Args...)
	cmd := exec.Command("/bin/sh", args...)
	cmd.Env = s.source.environment(folder)
	log := &lines{}
	shell, err := spawn(s.ctx, cmd, folder, log)
	if err != nil {
		return err
	}
	defer shell.close() // the program too, if it still runs: it is of the same group
	timer := time.NewTimer(startTime)
	defer timer.Stop()
	select {
	case line := <-shell.stdout:
		if _, _, err := parseHandshake(line); err != nil {
			return err
		}
	case <-timer.C:
		return fmt.Errorf("no handshake line within %s", startTime)
	}
	begin := time.Now()
	if err := cmd.Process.Kill(); err != nil {
		return err
	}
	timer.Reset(3 * time.Second)
	select {
	case <-shell.stdout: // closed when nobody has the other end any more
	case <-timer.C:
		return fmt.Errorf("its parent was killed, and it still runs %s later", time.Since(begin).Round(time.Millisecond))
	}
	if took := time.Since(begin); took > 1500*time.Millisecond {
		return fmt.Errorf("its parent was killed, and it ran on for %s; one second is allowed", took.Round(time.Millisecond))
	}
	return nil
}

package sdktest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/discv5/host/sdk/pluginpb"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
)

const (
	startTime    = 10 * time.Second // from the start of a process to its handshake line
	maxHandshake = 4096             // bytes of that line
	endTime      = time.Second      // from the end of stdout to the end of the process
)

// process is a plugin's program. It is started here, not by go-plugin's client, so that each thing that it owes is looked at.
type process struct {
	cmd    *exec.Cmd
	folder string // of its socket
	stdout chan string
	extra  lines // what it printed after the handshake line
	exited chan struct{}
	status error // how it ended, when exited is closed

	network, address string // where it says that it listens
}

// environment is what the host sets for a plugin.
func (s Source) environment(folder string) []string {
	env := s.Env
	if env == nil {
		env = []string{"PATH=" + os.Getenv("PATH")}
	}
	return append(append([]string(nil), env...),
		pluginpb.MagicCookieKey+"="+pluginpb.MagicCookieValue,
		"PLUGIN_PROTOCOL_VERSIONS="+strconv.Itoa(pluginpb.ProtocolVersion),
		"PLUGIN_UNIX_SOCKET_DIR="+folder, "TMPDIR="+folder,
		"PLUGIN_MIN_PORT=10000", "PLUGIN_MAX_PORT=25000",
		pluginpb.EnvPath+"="+s.Path, pluginpb.EnvLogLevel+"=debug")
}

// spawn starts a command and reads what it prints. It is killed when ctx ends.
func spawn(ctx context.Context, cmd *exec.Cmd, folder string, log io.Writer) (*process, error) {
	p := &process{cmd: cmd, folder: folder, stdout: make(chan string, 1), exited: make(chan struct{})}
	out, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = write, log
	cmd.WaitDelay = 2 * time.Second // children that keep stderr do not hold us
	group(cmd)
	err = cmd.Start()
	if closeErr := write.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		_ = out.Close() // nothing was read
		return nil, err
	}
	var printed sync.WaitGroup
	printed.Go(func() {
		defer close(p.stdout)
		defer out.Close()
		reader := bufio.NewReaderSize(out, maxHandshake)
		line, err := reader.ReadSlice('\n')
		p.stdout <- string(line)
		if err == nil || errors.Is(err, bufio.ErrBufferFull) {
			_, _ = io.Copy(&p.extra, reader) // until it ends
		}
	})
	go func() {
		p.status = cmd.Wait()
		close(p.exited)
	}()
	stop := context.AfterFunc(ctx, func() { killGroup(cmd) })
	go func() {
		<-p.exited
		stop()
	}()
	return p, nil
}

// startProcess starts a program and does the handshake.
func startProcess(ctx context.Context, s Source) (*incarnation, error) {
	folder, err := os.MkdirTemp("", "sdktest")
	if err != nil {
		return nil, err
	}
	log := &lines{}
	cmd := exec.Command(s.Path, s.Args...)
	cmd.Env = s.environment(folder)
	p, err := spawn(ctx, cmd, folder, log)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	in := &incarnation{
		process: p, ended: p.exited, log: log,
		terminate: func() { _ = p.cmd.Process.Signal(syscall.SIGTERM) }, // unless it has ended
		closing:   p.close,
	}
	p.network, p.address, err = p.handshake(log)
	if err == nil {
		in.conn, err = dial(p.network, p.address)
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return in, nil
}

// lastWords is what a process said, for the end of a sentence.
func lastWords(log *lines) string {
	if said := log.String(); said != "" {
		return "; it last said: " + said
	}
	return "; it said nothing"
}

// handshake waits for the line and reads it.
func (p *process) handshake(log *lines) (network, address string, err error) {
	timer := time.NewTimer(startTime)
	defer timer.Stop()
	select {
	case line := <-p.stdout:
		if line == "" {
			end := time.NewTimer(endTime)
			defer end.Stop()
			select {
			case <-p.exited:
			case <-end.C:
				return "", "", fmt.Errorf("it closed stdout without a handshake line, and runs on%s", lastWords(log))
			}
			return "", "", fmt.Errorf("it ended before its handshake line: %w%s", p.how(), lastWords(log))
		}
		return parseHandshake(line)
	case <-timer.C:
		return "", "", fmt.Errorf("no handshake line within %s", startTime)
	}
}

// parseHandshake reads "1|1|unix|/path|grpc" and what newer versions of go-plugin put behind it.
func parseHandshake(line string) (network, address string, err error) {
	text, whole := strings.CutSuffix(line, "\n")
	if !whole {
		return "", "", fmt.Errorf("the first line on stdout is no handshake line: %.80q has no end", line)
	}
	parts := strings.Split(strings.TrimSuffix(text, "\r"), "|")
	switch {
	case len(parts) < 5:
		return "", "", fmt.Errorf("the first line on stdout is no handshake line: %.80q", line)
	case parts[0] != "1":
		return "", "", fmt.Errorf("handshake: the core protocol is %q, not 1", parts[0])
	case parts[1] != strconv.Itoa(pluginpb.ProtocolVersion):
		return "", "", fmt.Errorf("handshake: the protocol version is %q, not %d", parts[1], pluginpb.ProtocolVersion)
	case parts[2] != "unix" && parts[2] != "tcp":
		return "", "", fmt.Errorf("handshake: the network is %q, not unix", parts[2])
	case parts[4] != "grpc":
		return "", "", fmt.Errorf("handshake: the protocol is %q, not grpc", parts[4])
	}
	return parts[2], parts[3], nil
}

// how tells how an ended process ended.
func (p *process) how() error {
	if p.status == nil {
		return errors.New("exit status 0")
	}
	return p.status
}

// below tells whether it listens where the host connects to: on a unix socket in the folder that it was given, or on Windows on the loopback.
func (p *process) below() bool {
	if p.network == "unix" {
		return strings.HasPrefix(filepath.Clean(p.address), p.folder+string(filepath.Separator))
	}
	at, err := netip.ParseAddrPort(p.address)
	return runtime.GOOS == "windows" && err == nil && at.Addr().IsLoopback()
}

// close kills the process and what it started, and waits for it.
func (p *process) close() {
	killGroup(p.cmd)
	<-p.exited
	_ = os.RemoveAll(p.folder) // a folder among the temporary ones, at worst
}

// shutdown calls go-plugin's controller, which ends a process.
func shutdown(ctx context.Context, conn *grpc.ClientConn) error {
	return conn.Invoke(ctx, "/plugin.GRPCController/Shutdown", &emptypb.Empty{}, &emptypb.Empty{})
}

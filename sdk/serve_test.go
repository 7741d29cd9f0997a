//go:build unix

package sdk

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/discv5/host/sdk/pluginpb"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// roleEnv makes this test binary a plugin, or a process that starts one.
const roleEnv = "SDK_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleEnv) {
	case "plugin":
		p := echoPlugin()
		var host *Host
		p.Start = func(_ context.Context, h *Host) error {
			host = h
			h.Log().Info("started", "value", 5)
			h.Log().Trace("not shown")
			return nil
		}
		p.Drain = func(context.Context) error { host.Log().Info("drained"); return nil }
		Serve(p)
	case "last words":
		p := echoPlugin()
		p.Start = func(context.Context, *Host) error {
			fmt.Println("looking for a disk")
			fmt.Fprintln(os.Stderr, "no disk")
			os.Exit(7)
			return nil
		}
		Serve(p)
	case "talkative":
		p := echoPlugin()
		p.Handler = TalkFunc(func(_ context.Context, r *TalkRequest) ([]byte, error) {
			for range 2000 { // more than a pipe takes
				fmt.Println("a line of an ordinary program that prints what it does")
			}
			return r.Payload, nil
		})
		Serve(p)
	case "bad":
		Serve(&TalkPlugin{})
	case "parent": // until stdin ends
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), roleEnv+"=plugin")
		cmd.ExtraFiles = []*os.File{os.NewFile(3, "alive")}
		cmd.Stdout = os.Stdout
		if err := cmd.Start(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// process is a plugin that was started as the contract says, without go-plugin.
type process struct {
	cmd    *exec.Cmd
	conn   *grpc.ClientConn
	socket string
	stderr *lockedBuffer
	ended  chan struct{} // closed when it has ended
}

// start starts this binary in a role. Stdout is read to the end of the handshake line.
func start(t testing.TB, role string, more ...*os.File) *process {
	t.Helper()
	p := &process{cmd: exec.Command(os.Args[0]), stderr: &lockedBuffer{}, ended: make(chan struct{})}
	p.cmd.Env = []string{
		pluginpb.MagicCookieKey + "=" + pluginpb.MagicCookieValue,
		"PLUGIN_PROTOCOL_VERSIONS=1",
		"PLUGIN_UNIX_SOCKET_DIR=" + t.TempDir(),
		roleEnv + "=" + role,
		"GORACE=atexit_sleep_ms=0",
	}
	p.cmd.Stderr = p.stderr
	p.cmd.ExtraFiles = more
	p.cmd.WaitDelay = time.Second
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("no handshake line: %v\n%s", err, p.stderr)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		stdin.Close()
		if p.conn != nil {
			p.conn.Close()
		}
		_ = p.cmd.Process.Kill()
		<-p.ended
	})
	fields := strings.Split(strings.TrimSpace(line), "|")
	if len(fields) < 5 || fields[0] != "1" || fields[1] != fmt.Sprint(pluginpb.ProtocolVersion) || fields[2] != "unix" || fields[4] != "grpc" {
		t.Fatalf("handshake line %q", line)
	}
	p.socket = fields[3]
	p.conn, err = grpc.NewClient("unix:"+p.socket, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithStaticStreamWindowSize(window), grpc.WithStaticConnWindowSize(2*window)) // as the host does
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// configure configures the plugin and opens the link.
func (p *process) configure(t testing.TB) {
	t.Helper()
	if _, err := pluginpb.NewPluginClient(p.conn).Configure(t.Context(), &pluginpb.ConfigureRequest{}); err != nil {
		t.Fatal(err)
	}
	stream, err := pluginpb.NewHostClient(p.conn).Link(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&pluginpb.HostReplies{}); err != nil {
		t.Fatal(err)
	}
	p.ask(t) // the plugin has seen the link, which came before on the connection
}

// ask makes the plugin echo.
func (p *process) ask(t testing.TB) {
	t.Helper()
	stream, err := pluginpb.NewTalkClient(p.conn).Serve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n, record := testNode(t, 1)
	id := n.ID()
	if err := stream.Send(&pluginpb.TalkRequests{
		Peers:    []*pluginpb.TalkPeer{{NodeId: id[:], Record: record}},
		Requests: []*pluginpb.TalkRequest{{Id: 1, Payload: []byte("hello")}},
	}); err != nil {
		t.Fatal(err)
	}
	if m, err := stream.Recv(); err != nil || len(m.Responses) != 1 || string(m.Responses[0].Payload) != "hello" {
		t.Fatalf("echo %v, %v", m, err)
	}
}

// endsWell wants the process to end with status 0, drained, and its socket removed.
func (p *process) endsWell(t *testing.T) {
	t.Helper()
	within(t, "the end of the process", p.ended)
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("status %d\n%s", code, p.stderr)
	}
	if !strings.Contains(p.stderr.String(), "drained") {
		t.Errorf("it was not drained\n%s", p.stderr)
	}
	if _, err := os.Stat(p.socket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its socket is still there: %v", err)
	}
}

func TestServeByHand(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{roleEnv + "=plugin"}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("started by hand: %v", err)
	}
	for _, want := range []string{"echo 1.0.0 is a talk plugin", `plugin "talk" "echo" {`, os.Args[0]} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is not in what it says:\n%s", want, out)
		}
	}
}

func TestServeDrainsOnSIGTERM(t *testing.T) {
	p := start(t, "plugin")
	p.configure(t)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.endsWell(t)
}

func TestServeIgnoresSIGINT(t *testing.T) {
	p := start(t, "plugin")
	p.configure(t)
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		p.ask(t)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.endsWell(t) // with status 0: not of SIGINT
}

func TestServeEndsWithTheLink(t *testing.T) {
	p := start(t, "plugin")
	p.configure(t)
	p.conn.Close()
	began := time.Now()
	p.endsWell(t)
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestServeEndsWithItsParent(t *testing.T) {
	alive, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer alive.Close()
	parent := start(t, "parent", theirs)
	theirs.Close()
	if err := parent.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() { // the other end is the plugin's
		_, _ = io.Copy(io.Discard, alive)
		close(gone)
	}()
	within(t, "the end of the plugin", gone)
}

func TestServeBadlyMade(t *testing.T) {
	p := start(t, "bad")
	_, err := pluginpb.NewPluginClient(p.conn).Describe(t.Context(), &pluginpb.DescribeRequest{})
	if status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "Handler is nil") {
		t.Errorf("Describe: %v", err)
	}
}

// What a program prints with package fmt arrives, although it ends at once.
func TestServeLastWords(t *testing.T) {
	p := start(t, "last words")
	if _, err := pluginpb.NewPluginClient(p.conn).Configure(t.Context(), &pluginpb.ConfigureRequest{}); err == nil {
		t.Error("Configure went well")
	}
	within(t, "the end of the plugin", p.ended)
	if code := p.cmd.ProcessState.ExitCode(); code != 7 {
		t.Errorf("status %d", code)
	}
	said := p.stderr.String()
	if !strings.Contains(said, "no disk\n") || !strings.Contains(said, "looking for a disk\n") {
		t.Errorf("its last words were lost:\n%s", said)
	}
}

// Nobody reads plugin.GRPCStdio here, and stdout no further than the handshake.
func TestServePrintsWithoutWaiting(t *testing.T) {
	p := start(t, "talkative")
	late := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	p.configure(t) // it asks
	if n := strings.Count(p.stderr.String(), "a line of an ordinary program"); n < 1000 {
		t.Errorf("%d lines", n)
	}
}

func TestServeLogsJSON(t *testing.T) {
	p := start(t, "plugin")
	p.configure(t)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.endsWell(t)
	seen := false
	for line := range strings.Lines(p.stderr.String()) {
		var entry struct {
			Level   string `json:"@level"`
			Message string `json:"@message"`
			Value   int    `json:"value"`
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Errorf("line %q: %v", line, err)
		}
		seen = seen || entry.Level == "info" && entry.Message == "started" && entry.Value == 5
		if entry.Level == "trace" {
			t.Errorf("line %q, although nobody asked for this level", line)
		}
	}
	if !seen {
		t.Errorf("the line of the plugin is missing:\n%s", p.stderr)
	}
}

// TestServeUnderGoPlugin is what a host does with go-plugin's own client.
func TestServeUnderGoPlugin(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{roleEnv + "=plugin", "TMPDIR=" + t.TempDir()}
	var stderr lockedBuffer
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  plugin.HandshakeConfig{ProtocolVersion: pluginpb.ProtocolVersion, MagicCookieKey: pluginpb.MagicCookieKey, MagicCookieValue: pluginpb.MagicCookieValue},
		Plugins:          plugin.PluginSet{pluginpb.PluginKey: &goPlugin{}},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Cmd:              cmd,
		SkipHostEnv:      true,
		Logger:           hclog.NewNullLogger(),
		Stderr:           &stderr,
	})
	defer client.Kill()
	protocol, err := client.Client()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{conn: protocol.(*plugin.GRPCClient).Conn}
	health, err := grpc_health_v1.NewHealthClient(p.conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: "plugin"})
	if err != nil || health.Status != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Errorf("health %v, %v", health, err)
	}
	p.configure(t)
	if _, err := pluginpb.NewPluginClient(p.conn).Drain(t.Context(), &pluginpb.DrainRequest{}); err != nil {
		t.Error(err)
	}
	client.Kill()
	if !client.Exited() || cmd.ProcessState.ExitCode() != 0 {
		t.Errorf("exit status %v after Drain and Shutdown", cmd.ProcessState)
	}
	if left, _ := filepath.Glob(filepath.Join(strings.TrimPrefix(cmd.Env[1], "TMPDIR="), "*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

package process

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/discv5/host/sdk/pluginpb"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

const (
	startTimeout  = 10 * time.Second
	maxHeaderList = 64 << 10
	socketDirVar  = "PLUGIN_UNIX_SOCKET_DIR"
)

// Spec says what to start. Name, Path and RunDir are required.
type Spec struct {
	Name   string            // of the plugin, in the log and in the name of its directory: a-z, 0-9, _, - and dots
	Path   string            // of the program; nothing is looked up in PATH
	Args   []string          // without the program's name
	Env    map[string]string // the whole environment, besides what go-plugin needs and those of pluginpb
	Dir    string            // working directory; empty: the plugin's directory below RunDir
	SHA256 string            // of the program, in hex; empty: not checked
	RunDir string            // where the directory of its socket is made; it must exist
	Dial   []grpc.DialOption // of the connection, beside the bounds that it has anyway
	Log    hclog.Logger      // takes what the plugin writes; nil: nobody does
	// StartTimeout is how long the plugin may take to say where it listens; 10 s.
	StartTimeout time.Duration

	checked func() // for tests: called between the check of the program and its execution
}

// Process is a plugin that has said where it listens, and the connection to it. All methods may be called at any time, from any
// goroutine.
type Process struct {
	conn   *grpc.ClientConn
	client *plugin.Client
	run    *run
	dir    string
	stop   sync.Once
	gone   chan struct{}
}

// Start starts a plugin and connects to it. It returns when the plugin listens, when it has ended, after StartTimeout, or
// when ctx ends, and then leaves nothing behind. Errors are *StartError.
func Start(ctx context.Context, spec Spec) (*Process, error) {
	if spec.Log == nil {
		spec.Log = hclog.NewNullLogger()
	}
	if spec.StartTimeout <= 0 {
		spec.StartTimeout = startTimeout
	}
	var pin []byte
	if spec.SHA256 != "" {
		var err error
		if pin, err = hex.DecodeString(spec.SHA256); err != nil || len(pin) != 32 {
			return nil, &StartError{Kind: ErrChecksum, Path: spec.Path, Detail: fmt.Sprintf("%q is no SHA-256", spec.SHA256), Hint: "write 64 hex digits"}
		}
	}
	dir, err := makeRunDir(spec)
	if err != nil {
		return nil, err
	}
	p, err := start(ctx, spec, pin, dir)
	if err != nil {
		discard(spec, dir)
		return nil, err
	}
	return p, nil
}

func start(ctx context.Context, spec Spec, pin []byte, dir string) (*Process, error) {
	img, err := openImage(spec.Path, pin, dir)
	if err != nil {
		return nil, err
	}
	defer img.close()
	if spec.checked != nil {
		spec.checked()
	}
	ctx, cancel := context.WithTimeoutCause(ctx, spec.StartTimeout, ErrSilent)
	defer cancel()

	r := newRun(spec, img, dir)
	conn := &catcher{starting: ctx, run: r}
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: plugin.HandshakeConfig{
			ProtocolVersion: pluginpb.ProtocolVersion, MagicCookieKey: pluginpb.MagicCookieKey, MagicCookieValue: pluginpb.MagicCookieValue,
		},
		Plugins:          plugin.PluginSet{pluginpb.PluginKey: nothing{}},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		RunnerFunc:       r.adopt,
		SkipHostEnv:      true,
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: dir},
		StartTimeout:     2 * spec.StartTimeout, // ours ends first
		Logger:           hclog.NewNullLogger(),
		SyncStdout:       flowWriter{r.printed, &splitter{emit: r.journal.stdout}},
		SyncStderr:       flowWriter{r.printed, &splitter{emit: r.journal.stderr}},
		GRPCDialOptions: append([]grpc.DialOption{
			grpc.WithIdleTimeout(0),
			grpc.WithMaxHeaderListSize(maxHeaderList),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(pluginpb.MaxMessage), grpc.MaxCallSendMsgSize(pluginpb.MaxMessage)),
			grpc.WithContextDialer(r.dial),
			grpc.WithChainStreamInterceptor(conn.intercept),
		}, spec.Dial...),
	})
	p := &Process{client: client, run: r, dir: dir, gone: make(chan struct{})}
	stopWatching := context.AfterFunc(ctx, func() { r.kill(0) })
	protocol, err := client.Client()
	if !stopWatching() {
		err = errors.Join(context.Cause(ctx), err)
	}
	if err == nil {
		if g, ok := protocol.(*plugin.GRPCClient); ok {
			p.conn = g.Conn
			return p, nil
		}
		err = ErrNotPlugin
	}
	r.kill(0)
	failure := r.explain(ctx, err)
	killMarked(map[string]bool{dir: true}) // nobody holds the connection then
	conn.close()                           // go-plugin may wait for it,
	client.Kill()
	conn.close() // and may have made another one
	return nil, failure
}

// nothing is the plugin that go-plugin wants to know. It is never dispensed: the services are called on the connection.
type nothing struct{ plugin.NetRPCUnsupportedPlugin }

func (nothing) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error { return nil }

func (nothing) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, nil
}

// Conn returns the connection to the plugin's services. It is closed by Stop.
func (p *Process) Conn() *grpc.ClientConn { return p.conn }

// PID returns the process's id.
func (p *Process) PID() int { return p.run.pid }

// Started returns when the process was started.
func (p *Process) Started() time.Time { return p.run.started }

// Exited is closed when the process has ended and what it wrote has been read, at most 200 ms later.
func (p *Process) Exited() <-chan struct{} { return p.run.exited }

// ExitError tells how the process ended; nil while it runs.
func (p *Process) ExitError() error {
	select {
	case <-p.run.exited:
		return p.run.exitError()
	default:
		return nil
	}
}

// LastLines returns the last lines that the plugin wrote, at most 20 with together 4 KiB, the oldest first.
func (p *Process) LastLines() []string { return p.run.journal.last() }

// Output tells how much the plugin has written.
func (p *Process) Output() OutputStats { return p.run.journal.counts() }

// Usage returns the CPU time and memory that the process has taken. It is false where the system does not tell, and when the process has ended.
func (p *Process) Usage() (Usage, bool) {
	select {
	case <-p.run.life.Done():
		return Usage{}, false
	default:
		return usage(p.run.pid)
	}
}

// Stop ends the process and its descendants: SIGTERM to their group, and SIGKILL when it still runs after grace. On Linux
// descendants that have left the group are killed then. It closes the connection, removes the plugin's directory, and returns when
// nothing is left; of a directory that takes more than 500 ms, Sweep removes the rest. It must be called for a process that ended by
// itself too. A second call waits for the first; a shorter grace counts.
func (p *Process) Stop(grace time.Duration) {
	p.run.kill(grace)
	p.stop.Do(func() {
		<-p.run.exited
		killMarked(map[string]bool{p.dir: true}) // so that nobody holds the connection, or writes into the directory
		p.client.Kill()
		discard(p.run.spec, p.dir)
		close(p.gone)
	})
	<-p.gone
}

// discard removes the directory of a plugin that has ended, with all who could write there.
func discard(spec Spec, dir string) {
	if err := remove(dir, time.Now().Add(removeTime)); err != nil {
		spec.Log.Warn("directory of a plugin is left for the next start of the host", "plugin", spec.Name, "dir", dir, "err", clean([]byte(err.Error()), maxValue))
	}
}

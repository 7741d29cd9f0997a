package sdktest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/discv5/host/sdk"
	"github.com/discv5/host/sdk/internal/door"
	"github.com/discv5/host/sdk/pluginpb"
	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// incarnation is one running plugin: a process, or a served value of this one.
type incarnation struct {
	conn  *grpc.ClientConn
	ended <-chan struct{} // closed when the process has ended, or would have
	log   *lines          // what it logged last

	process   *process // nil: in this process
	terminate func()   // what SIGTERM does; it does not wait
	closing   func()   // ends it, whatever it does, and waits
	closeOnce sync.Once
}

// launch starts a plugin. Its process is killed when ctx ends.
func launch(ctx context.Context, s Source) (*incarnation, error) {
	switch {
	case s.New != nil && s.Path == "":
		return serveHere(s.New())
	case s.New == nil && s.Path != "":
		return startProcess(ctx, s)
	}
	return nil, errors.New("a Source has either New or Path")
}

// close ends the plugin in any case and waits for its end.
func (in *incarnation) close() {
	in.closeOnce.Do(func() {
		_ = in.conn.Close() // it has no error that matters here
		in.closing()
	})
}

// waitEnd waits until it has ended, which it should do by itself.
func (in *incarnation) waitEnd(d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-in.ended:
		return nil
	case <-timer.C:
		return fmt.Errorf("it did not end within %s", d)
	}
}

// serveHere serves a plugin value on a socket of its own, as its process would.
func serveHere(p sdk.Plugin) (*incarnation, error) {
	folder, err := os.MkdirTemp("", "sdktest")
	if err != nil {
		return nil, err
	}
	log := &lines{}
	server := grpc.NewServer(door.ServerOptions()...)
	instance, err := door.Register(server, p, hclog.New(&hclog.LoggerOptions{Output: log, Level: hclog.Debug, JSONFormat: true}))
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	path := filepath.Join(folder, "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	ended := make(chan struct{})
	go func() {
		<-instance.Done()
		// A process would be gone now. Answers that are on their way still arrive, and streams break.
		stopped := make(chan struct{})
		go func() { server.GracefulStop(); close(stopped) }()
		select {
		case <-stopped:
		case <-time.After(100 * time.Millisecond):
			server.Stop()
			<-stopped
		}
		close(ended)
	}()
	go func() { _ = server.Serve(listener) }() // it ends with the server
	stop := func() {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		instance.Stop(ctx)
	}
	conn, err := dial("unix", path)
	if err != nil {
		stop()
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	return &incarnation{
		conn: conn, ended: ended, log: log,
		terminate: func() { go stop() },
		closing: func() {
			stop()
			<-ended
			_ = os.RemoveAll(folder) // a socket in the folder for temporary files, at worst
		},
	}, nil
}

// dial connects as the host does.
func dial(network, address string) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///plugin",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(pluginpb.MaxMessage), grpc.MaxCallSendMsgSize(pluginpb.MaxMessage)),
		grpc.WithIdleTimeout(0),
		grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: 5 * time.Second}),
	)
}

// lines keeps the last lines that a plugin logged. It is safe for concurrent use.
type lines struct {
	mu      sync.Mutex
	part    []byte
	last    []string
	changed chan struct{} // not nil: somebody waits for the next line
}

const (
	maxLines = 200
	maxLine  = 4096
)

// Write takes bytes of a log.
func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range b {
		if c != '\n' && len(l.part) < maxLine {
			l.part = append(l.part, c)
			continue
		}
		l.last = append(l.last, string(l.part))
		l.part = l.part[:0]
		if c != '\n' {
			l.part = append(l.part, c)
		}
		if len(l.last) > maxLines {
			l.last = l.last[1:]
		}
	}
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
	return len(b), nil
}

// next returns a channel that is closed when more was logged.
func (l *lines) next() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return l.changed
}

func (l *lines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := append([]string(nil), l.last...)
	if len(l.part) > 0 {
		all = append(all, string(l.part))
	}
	return all
}

func (l *lines) String() string { return strings.Join(l.all(), "\n") }

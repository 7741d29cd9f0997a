//go:build linux

package process

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/discv5/host/sdk/pluginpb"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

// TestMain doubles as the plugin: the first argument says how it behaves.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if mode, ok := strings.CutPrefix(os.Args[1], "mode="); ok {
			if mode == "host" {
				behaveAsHost(os.Args[2], os.Args[3])
			}
			behave(mode)
			os.Exit(0)
		}
	}
	os.Exit(m.Run())
}

// behave is the program under test.
func behave(mode string) {
	switch mode {
	case "crash":
		fmt.Fprintln(os.Stderr, "config: cannot open /etc/foo")
		os.Exit(3)
	case "panic":
		panic("at start")
	case "silent":
		select {}
	case "closed":
		os.Stdout.Close()
		select {}
	case "not a plugin":
		fmt.Println("Usage: frobnicate [file]")
		select {}
	case "endless line":
		for {
			os.Stdout.WriteString(strings.Repeat("x", 4096))
		}
	case "elsewhere":
		fmt.Println("1|1|unix|/run/docker.sock|grpc|")
		select {}
	case "tcp":
		fmt.Println("1|1|tcp|127.0.0.1:22|grpc|")
		select {}
	case "netrpc":
		fmt.Println("1|1|unix|" + os.Getenv(socketDirVar) + "/s|netrpc|")
		select {}
	case "other core":
		fmt.Println("2|1|unix|" + os.Getenv(socketDirVar) + "/s|grpc|")
		select {}
	case "deaf":
		fmt.Println("1|1|unix|" + os.Getenv(socketDirVar) + "/nobody|grpc|")
		select {}
	case "leaves after the handshake":
		fmt.Println("1|1|unix|" + os.Getenv(socketDirVar) + "/nobody|grpc|")
		fmt.Fprintln(os.Stderr, "goodbye")
		os.Exit(4)
	case "another version":
		serve(7)
	case "ignores TERM":
		signal.Ignore(syscall.SIGTERM)
		serve(1)
	case "leaves on TERM":
		term := make(chan os.Signal, 1)
		signal.Notify(term, syscall.SIGTERM)
		go func() { <-term; fmt.Fprintln(os.NewFile(2, ""), "drained"); os.Exit(0) }()
		serve(1)
	case "crash later":
		go func() { time.Sleep(100 * time.Millisecond); panic("later") }()
		serve(1)
	case "tells":
		in, _ := os.Readlink("/proc/self/fd/0")
		dir, _ := os.Getwd()
		fmt.Fprintln(os.Stderr, "args", os.Args)
		fmt.Fprintln(os.Stderr, "stdin", in)
		fmt.Fprintln(os.Stderr, "dir", dir)
		for _, v := range os.Environ() {
			fmt.Fprintln(os.Stderr, "env", v)
		}
		serve(1)
	case "grandchild keeps stderr":
		child := exec.Command("/bin/sh", "-c", "echo $$ >&2; exec sleep 60")
		child.Stderr = os.Stderr
		child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := child.Start(); err != nil {
			panic(err)
		}
		serve(1)
	case "child in the group":
		child := exec.Command("/bin/sh", "-c", "echo $$ >&2; exec sleep 60")
		child.Stderr = os.Stderr
		if err := child.Start(); err != nil {
			panic(err)
		}
		serve(1)
	case "held socket", "held socket, it stays":
		l, err := net.Listen("unix", os.Getenv(socketDirVar)+"/s")
		if err != nil {
			panic(err)
		}
		held, _ := l.(*net.UnixListener).File()
		child := exec.Command("/bin/sleep", "60")
		child.ExtraFiles = []*os.File{held}
		child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := child.Start(); err != nil {
			panic(err)
		}
		fmt.Fprintln(os.Stderr, child.Process.Pid)
		fmt.Println("1|1|unix|" + os.Getenv(socketDirVar) + "/s|grpc|")
		if mode == "held socket, it stays" {
			select {}
		}
		time.Sleep(100 * time.Millisecond)
	case "child fills the directory":
		child := exec.Command("/proc/self/exe", "mode=fills the directory")
		child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		child.Stderr = os.Stderr
		if err := child.Start(); err != nil {
			panic(err)
		}
		serve(1)
	case "fills the directory":
		fmt.Fprintln(os.Stderr, os.Getpid())
		for i := 0; ; i++ {
			if os.WriteFile(fmt.Sprintf("%s/%d", os.Getenv(socketDirVar), i), nil, 0o600) != nil {
				return
			}
		}
	case "prints all the time":
		go func() {
			time.Sleep(50 * time.Millisecond) // Serve has to put its pipe into the place of the output
			text := strings.Repeat("x\n", 512)
			for {
				os.Stdout.WriteString(text)
			}
		}()
		serve(1)
	case "link elsewhere", "file":
		path := os.Getenv(socketDirVar) + "/s"
		if mode == "file" {
			os.WriteFile(path, nil, 0o600)
		} else if err := os.Symlink(os.Args[2], path); err != nil {
			panic(err)
		}
		fmt.Println("1|1|unix|" + path + "|grpc|")
		select {}
	case "floods":
		out, errs := os.NewFile(1, ""), os.NewFile(2, "")
		errs.WriteString(strings.Repeat("y", 10<<20))
		fmt.Fprintln(errs)
		fmt.Fprintln(errs, `{"@message":1}`)
		fmt.Fprintln(errs, `{"@level":"warn","@message":"careful\nnow","n":1,"plugin":"other"}`)
		for i := range 3000 {
			fmt.Fprintln(errs, "line", i)
		}
		go func() {
			time.Sleep(50 * time.Millisecond)
			out.WriteString(strings.Repeat("z", 1<<20))
			fmt.Fprintln(out)
			fmt.Fprintln(errs, "survived")
		}()
		serve(1)
	case "prints":
		printing = true
		serve(1)
	default:
		serve(1)
	}
}

func serve(version uint) {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: plugin.HandshakeConfig{ProtocolVersion: version, MagicCookieKey: pluginpb.MagicCookieKey, MagicCookieValue: pluginpb.MagicCookieValue},
		Plugins:         plugin.PluginSet{pluginpb.PluginKey: servant{}},
		GRPCServer:      plugin.DefaultGRPCServer,
		Logger:          hclog.NewNullLogger(),
	})
}

type servant struct{ nothing }

func (servant) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	pluginpb.RegisterPluginServer(s, described{})
	return nil
}

type described struct {
	pluginpb.UnimplementedPluginServer
}

var printing bool // in Describe

func (described) Describe(context.Context, *pluginpb.DescribeRequest) (*pluginpb.Description, error) {
	if printing {
		fmt.Println("by print")
		fmt.Fprintln(os.Stderr, "by standard error")
	}
	return &pluginpb.Description{Name: "test"}, nil
}

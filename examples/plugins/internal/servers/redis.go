package servers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Redis starts a redis-server or valkey-server with its data in a file of which every acknowledged change is a part. Settings are
// added to its command line.
func Redis(t testing.TB, settings ...string) *Server {
	t.Helper()
	program, err := find("REDIS_SERVER", "redis-server")
	if err != nil {
		program, err = find("REDIS_SERVER", "valkey-server")
	}
	if err != nil || !supported {
		t.Skipf("no Redis to test with (%v): install one, with apt-get install redis-server or valkey-server, or name its program in REDIS_SERVER", err)
	}
	dir := folder(t)
	if err := giveAway(dir); err != nil {
		t.Fatal(err)
	}
	s := &Server{Dir: dir, Socket: filepath.Join(dir, "redis"), t: t, ready: redisReady}
	s.args = append([]string{
		program, "--port", "0", "--unixsocket", s.Socket, "--unixsocketperm", "777", "--dir", dir, "--daemonize", "no", "--save", "",
		"--appendonly", "yes", "--appendfsync", "always",
	}, settings...)
	t.Cleanup(s.Kill)
	s.Start()
	return s
}

// redisReady asks whether the data is loaded.
func redisReady(ctx context.Context, socket string) error {
	conn, err := dials(ctx, socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second)) // it is open
	if _, err := fmt.Fprint(conn, "PING\r\n"); err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && !strings.HasPrefix(line, "+PONG") && !strings.HasPrefix(line, "-NOAUTH") {
		err = errors.New(line)
	}
	return err
}

// FreePort returns a TCP port of this machine that was free just now.
func FreePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

package servers

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Postgres starts a PostgreSQL server with its default settings. Its superuser is discv5, its database postgres, and it asks nobody for a
// password.
func Postgres(t testing.TB, settings ...string) *Server {
	t.Helper()
	program, err := find("POSTGRES_BIN", "postgres", "/usr/lib/postgresql/*/bin", "/usr/local/opt/postgresql*/bin")
	if err != nil || !supported {
		t.Skipf("no PostgreSQL to test with (%v): install one, with apt-get install postgresql, or name the folder of its programs in POSTGRES_BIN", err)
	}
	if real, err := filepath.EvalSymlinks(program); err == nil {
		program = real // initdb is beside it
	}
	dir := folder(t)
	if err := giveAway(dir); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	run(t, dir, "cp", "-a", fresh(t, filepath.Join(filepath.Dir(program), "initdb")), data)
	port := "5432"
	for _, setting := range settings {
		if named, ok := strings.CutPrefix(setting, "port="); ok {
			port = named
		}
	}
	s := &Server{Dir: dir, Socket: filepath.Join(dir, ".s.PGSQL."+port), t: t, ready: postgresReady}
	s.args = []string{program, "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "unix_socket_permissions=0777"}
	for _, setting := range settings {
		s.args = append(s.args, "-c", setting)
	}
	t.Cleanup(s.Kill)
	s.Start()
	return s
}

// template is an empty database, made once for all servers of a process.
var template struct {
	sync.Mutex
	dir string
}

func fresh(t testing.TB, initdb string) string {
	t.Helper()
	template.Lock()
	defer template.Unlock()
	if template.dir != "" {
		return template.dir
	}
	dir, err := os.MkdirTemp("/tmp", "servers") // a few MB that stay until Forget
	if err != nil {
		t.Fatal(err)
	}
	if err := giveAway(dir); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	run(t, dir, initdb, "-D", data, "-U", "discv5", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	template.dir = data
	return data
}

// Forget removes what the servers of a process had in common. A TestMain calls it at the end.
func Forget() {
	template.Lock()
	defer template.Unlock()
	if template.dir != "" {
		_ = os.RemoveAll(filepath.Dir(template.dir)) // a folder among the temporary ones, at worst
		template.dir = ""
	}
}

// run runs a program as a server runs.
func run(t testing.TB, dir, program string, args ...string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	own(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
}

// postgresReady begins a session, which a server refuses that still recovers.
func postgresReady(ctx context.Context, socket string) error {
	conn, err := dials(ctx, socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))   // it is open
	hello := binary.BigEndian.AppendUint32(nil, 196608) // version 3.0 of the protocol
	hello = append(hello, "user\x00discv5\x00database\x00postgres\x00\x00"...)
	if _, err := conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(hello)+4)), hello...)); err != nil {
		return err
	}
	answer := make([]byte, 1)
	if _, err := io.ReadFull(conn, answer); err != nil {
		return err
	}
	if answer[0] != 'R' { // it asks for no password
		return errors.New("it recovers")
	}
	return nil
}

package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/discv5/host/examples/plugins/internal/servers"
	"github.com/discv5/host/sdk"
	"github.com/discv5/host/sdk/fields"
	"github.com/discv5/host/sdk/pluginpb"
	"github.com/discv5/host/sdk/sdktest"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// raw is a connection to a server of a test.
func raw(t testing.TB, s *servers.Server) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(context.Background(), fmt.Sprintf("host=%s user=discv5 dbname=postgres sslmode=disable", s.Dir))
	must(t, err)
	t.Cleanup(func() { must(t, c.Close(context.Background())) })
	return c
}

func exec(t testing.TB, c *pgx.Conn, sql ...string) {
	t.Helper()
	for _, s := range sql {
		if _, err := c.Exec(context.Background(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// opened is the store without the plugin around it.
func opened(t testing.TB, s *servers.Server) *store {
	t.Helper()
	c := defaults()
	c.URL = fmt.Sprintf("host=%s user=discv5 dbname=postgres sslmode=disable", s.Dir)
	st := &store{config: &c, self: t.Name()}
	must(t, st.open(context.Background()))
	t.Cleanup(st.pool.Close)
	return st
}

func try(t *testing.T, config map[string]any) error {
	t.Helper()
	_, err := sdktest.Try(t, sdktest.Source{New: newPlugin, Config: config})
	return err
}

// node makes what a host stores of a node.
func node(t testing.TB, seq uint64, seen time.Time, more ...enr.Entry) (id string, entries []sdk.Entry) {
	t.Helper()
	key, err := crypto.GenerateKey()
	must(t, err)
	var r enr.Record
	r.Set(enr.IPv4Addr(netip.MustParseAddr("192.0.2.1")))
	r.Set(enr.UDP(9000))
	for _, e := range more {
		r.Set(e)
	}
	r.SetSeq(seq)
	must(t, enode.SignV4(&r, key))
	n, err := enode.New(enode.ValidSchemes, &r)
	must(t, err)
	record, err := rlp.EncodeToBytes(&r)
	must(t, err)
	value, err := proto.Marshal(&pluginpb.StoredNode{Record: record})
	must(t, err)
	contact, err := proto.Marshal(&pluginpb.StoredContact{
		Ip: []byte{198, 51, 100, 7}, Port: 9001, SeenMs: uint64(seen.UnixMilli()), FirstMs: uint64(seen.Add(-time.Hour).UnixMilli()), RttUs: 12_500, Checks: 7,
	})
	must(t, err)
	expires := time.Now().Add(time.Hour)
	id = n.ID().String()
	return id, []sdk.Entry{
		{Key: []byte("node/" + id), Value: value, Version: seq, Expires: expires},
		{Key: []byte("seen/" + id), Value: contact, Version: uint64(seen.UnixMilli()), Expires: expires},
	}
}

// People can query nodes, whatever else is stored.
func TestNodesCanBeQueried(t *testing.T) {
	server := servers.Postgres(t)
	s, c, ctx := opened(t, server), raw(t, server), context.Background()
	seen := time.Now().Add(-time.Minute).Truncate(time.Millisecond)
	var digest fields.Bytes4
	copy(digest[:], []byte{0x6a, 0x95, 0xa1, 0xa9})
	cl, consensus := node(t, 1<<63+5, seen, fields.Eth2{ForkDigest: digest})
	el, execution := node(t, 3, seen, fields.Eth{ForkID: fields.ForkID{Hash: fields.Bytes4{1, 2, 3, 4}}})
	plain, alone := node(t, 4, seen)
	must(t, s.Put(ctx, append(append(consensus, execution...), alone[0])))
	must(t, s.Put(ctx, []sdk.Entry{
		{Key: []byte("node/" + strings.Repeat("ab", 32)), Value: []byte("garbage"), Version: 1},
		{Key: []byte("node/zz"), Value: []byte("x"), Version: 1},
		{Key: []byte("host/a/ban/b"), Value: []byte("x"), Version: 1},
	}))
	rows, err := c.Query(ctx, `SELECT id, seq::text, ip, port, COALESCE(fork_digest, ''), first_seen, last_seen, rtt_ms, checks, enr FROM discv5host.nodes`)
	must(t, err)
	got := make(map[string]string)
	for rows.Next() {
		var id, seq, ip, fork, text string
		var port int
		var first, last *time.Time
		var rtt *float64
		var checks *int
		must(t, rows.Scan(&id, &seq, &ip, &port, &fork, &first, &last, &rtt, &checks, &text))
		if n, err := fields.Parse(text); err != nil || n.ID().String() != id {
			t.Errorf("the record of %s is %s: %v", id, text, err)
		}
		got[id] = fmt.Sprintf("%s %s:%d %q", seq, ip, port, fork)
		if last != nil {
			got[id] += fmt.Sprintf(" %v %v %v %d", last.Equal(seen), last.Sub(*first), *rtt, *checks)
		}
	}
	must(t, rows.Err())
	want := map[string]string{
		cl:    `9223372036854775813 198.51.100.7:9001 "6a95a1a9" true 1h0m0s 12.5 7`,
		el:    `3 198.51.100.7:9001 "01020304" true 1h0m0s 12.5 7`,
		plain: `4 192.0.2.1:9000 ""`,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the nodes are %v, not %v", got, want)
	}
	exec(t, c, "UPDATE discv5host.entries SET expires = now() WHERE node = '"+plain+"'")
	var n int
	must(t, c.QueryRow(ctx, "SELECT count(*) FROM discv5host.nodes").Scan(&n))
	if n != 2 {
		t.Errorf("%d nodes, with one that has expired", n)
	}
}

func TestColumnsOfNonsense(t *testing.T) {
	id := strings.Repeat("ab", 32)
	long := strings.Repeat("\x00", 1000)
	for _, e := range []sdk.Entry{
		{}, {Key: []byte("node/" + id)}, {Key: []byte("seen/" + id)}, {Key: []byte("node/" + id), Value: []byte(long)},
		{Key: []byte("seen/" + id), Value: []byte{0xff}}, {Key: []byte("seen/" + id[1:]), Value: []byte{24, 1}},
	} {
		if c := columnsOf(e); c != (columns{}) {
			t.Errorf("%q: %+v", e.Key, c)
		}
	}
	huge, err := proto.Marshal(&pluginpb.StoredContact{Ip: []byte{1}, Port: 1 << 31, SeenMs: 1 << 63, FirstMs: 1 << 63, Checks: 1 << 31})
	must(t, err)
	c := columnsOf(sdk.Entry{Key: []byte("seen/" + id), Value: huge})
	if c.ip != nil || c.port != nil || c.lastSeen == nil || c.lastSeen.Year() > 9999 || *c.checks < 0 {
		t.Errorf("%+v", c)
	}
}

func TestExpired(t *testing.T) {
	server := servers.Postgres(t)
	s, c, ctx := opened(t, server), raw(t, server), context.Background()
	var entries []sdk.Entry
	for i := range expireBatch + 10 {
		entries = append(entries, sdk.Entry{Key: fmt.Appendf(nil, "%05d", i), Version: 1, Expires: time.Now().Add(-time.Second)})
	}
	entries = append(entries, sdk.Entry{Key: []byte("stays"), Version: 1}, sdk.Entry{Key: []byte("too"), Version: 1, Expires: time.Now().Add(time.Hour)})
	must(t, s.Put(ctx, entries[:1000]))
	must(t, s.Put(ctx, entries[1000:]))
	if n, err := s.expire(ctx); n != expireBatch+10 || err != nil {
		t.Errorf("%d rows were removed, %v", n, err)
	}
	var left int
	must(t, c.QueryRow(ctx, "SELECT count(*) FROM discv5host.entries").Scan(&left))
	if left != 2 {
		t.Errorf("%d rows are left", left)
	}
}

func TestSchema(t *testing.T) {
	server := servers.Postgres(t)
	c := raw(t, server)
	if err := try(t, at(server.Dir, "migrate", false)); err == nil || !strings.Contains(err.Error(), "migrate is false") {
		t.Errorf("it starts without tables: %v", err)
	}
	must(t, try(t, at(server.Dir)))
	must(t, try(t, at(server.Dir, "migrate", false)))
	exec(t, c, "UPDATE discv5host.layout SET version = version + 1")
	if err := try(t, at(server.Dir)); err == nil || !strings.Contains(err.Error(), "newer version") || !strings.Contains(err.Error(), "another schema") {
		t.Errorf("it starts on newer tables: %v", err)
	}
	must(t, try(t, at(server.Dir, "schema", "other")))
	exec(t, c, "CREATE SCHEMA foreigner", "CREATE TABLE foreigner.entries (x int)", "CREATE SCHEMA stranger", "CREATE TABLE stranger.layout (x int)")
	for _, schema := range []string{"foreigner", "stranger"} {
		if err := try(t, at(server.Dir, "schema", schema)); err == nil || !strings.Contains(err.Error(), "somebody else") {
			t.Errorf("it starts in the schema %s: %v", schema, err)
		}
	}
	var tables int
	must(t, c.QueryRow(context.Background(), "SELECT count(*) FROM information_schema.tables WHERE table_schema IN ('foreigner', 'stranger')").Scan(&tables))
	if tables != 2 {
		t.Errorf("schemas of others have %d tables", tables)
	}
}

// Hosts that start at the same time make the tables once, and so do several calls of one host.
func TestSchemaIsMadeByMany(t *testing.T) {
	server := servers.Postgres(t)
	failed := make(chan error, 8)
	for range cap(failed) / 2 {
		s := opened(t, server)
		for range 2 {
			go func() { failed <- s.check(context.Background()) }()
		}
	}
	for range cap(failed) {
		must(t, <-failed)
	}
}

// When another server has become the primary, connections to the old one, which reads only, are given up.
func TestPrimaryThatBecameReadOnly(t *testing.T) {
	server := servers.Postgres(t)
	c, ctx := raw(t, server), context.Background()
	must(t, try(t, at(server.Dir)))
	exec(t, c, "ALTER DATABASE postgres SET default_transaction_read_only = on") // for new connections
	s := opened(t, server)
	must(t, s.check(ctx))
	exec(t, c, "ALTER DATABASE postgres SET default_transaction_read_only = off")
	put := func() error { return s.Put(ctx, []sdk.Entry{{Key: []byte("a"), Version: 1}}) }
	if err := put(); code(err) != "25006" {
		t.Fatalf("a put on a server that reads only: %v", err)
	}
	if err := s.health(ctx); err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("health says %v", err)
	}
	must(t, put())
	must(t, s.health(ctx))
}

// A migration starts from each version, changes nothing when it fails, and keeps what is stored.
func TestMigrations(t *testing.T) {
	server := servers.Postgres(t)
	ctx := context.Background()
	must(t, opened(t, server).Put(ctx, []sdk.Entry{{Key: []byte("a"), Value: []byte("x"), Version: 7}}))
	before := migrations
	t.Cleanup(func() { migrations = before })
	migrations = append(before[:len(before):len(before)], "ALTER TABLE SCHEMA.entries ADD COLUMN more text;\nSELECT nonsense")
	s := opened(t, server)
	if err := s.check(ctx); err == nil || !strings.Contains(err.Error(), "migration to version 2") {
		t.Errorf("a migration that fails: %v", err)
	}
	migrations[1] = "ALTER TABLE SCHEMA.entries ADD COLUMN more text;\nUPDATE SCHEMA.entries SET more = 'yes'"
	for range 2 {
		must(t, s.check(ctx))
	}
	found, err := s.Get(ctx, [][]byte{[]byte("a")})
	if err != nil || len(found) != 1 || found[0].Version != 7 {
		t.Error(found, err)
	}
	var more string
	must(t, raw(t, server).QueryRow(ctx, "SELECT more FROM discv5host.entries").Scan(&more))
	if more != "yes" {
		t.Errorf("the migration made %q", more)
	}
}

// Passwords reach the database and nothing else.
func TestCredentials(t *testing.T) {
	const secret = "correct-horse"
	server := servers.Postgres(t)
	c := raw(t, server)
	exec(t, c, "CREATE ROLE limited LOGIN PASSWORD '"+secret+"'", "CREATE SCHEMA fleet AUTHORIZATION limited")
	hba := filepath.Join(server.Dir, "data", "pg_hba.conf")
	must(t, os.WriteFile(hba, []byte("local all discv5 trust\nlocal all limited scram-sha-256\n"), 0o600))
	exec(t, c, "SELECT pg_reload_conf()")
	block := func(more ...any) map[string]any {
		b := map[string]any{"url": fmt.Sprintf("postgres://limited@/postgres?host=%s&sslmode=disable", server.Dir), "schema": "fleet"}
		for i := 0; i < len(more); i += 2 {
			b[more[i].(string)] = more[i+1]
		}
		return b
	}
	for what, config := range map[string]map[string]any{
		"wrong password":   block("password", secret+"x"),
		"no password":      block(),
		"somebody else's":  block("password", secret, "schema", "public2"),
		"no such database": {"url": fmt.Sprintf("postgres://discv5:%s@/nowhere?host=%s&sslmode=disable", secret, server.Dir)},
		"bad url":          {"url": "postgres://limited:" + secret + "@[::1/postgres?sslmode=never"},
	} {
		if err := try(t, config); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", what, err)
		}
	}
	p := sdktest.Start(t, newPlugin(), sdktest.Config(block("password", secret+"\n"))) // a file ends so
	must(t, p.Store().Put(context.Background(), []sdk.Entry{{Key: []byte("a"), Version: 1}}))
	for _, line := range p.Logs() {
		if strings.Contains(line, secret) {
			t.Errorf("the log has the password: %s", line)
		}
	}
}

func TestConfig(t *testing.T) {
	for says, change := range map[string]func(*config){
		"url is empty":    func(c *config) { c.URL = "" },
		"url: it cannot":  func(c *config) { c.URL = "postgres://u:secret@[::1/x" },
		"schema is \"A\"": func(c *config) { c.Schema = "A" },
		"schema is \"pg":  func(c *config) { c.Schema = "pg_x" },
		"timeout is 0s":   func(c *config) { c.Timeout = 0 },
		"poll is 0s":      func(c *config) { c.Poll = 0 },
	} {
		c := defaults()
		c.URL = "postgres://u@localhost/d"
		must(t, c.Validate())
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", says, err)
		}
	}
}

// What may go over a network as it is, is told at the start.
func TestExposed(t *testing.T) {
	t.Setenv("PGSSLMODE", "")
	for url, want := range map[string]bool{
		"postgres://u@db.example.org/d":                         true, // "prefer", which gives way to whoever refuses
		"postgres://u@db.example.org/d?sslmode=disable":         true,
		"postgres://u@localhost,192.0.2.1/d?sslmode=allow":      true,
		"postgres://u@db.example.org/d?sslmode=require":         false,
		"postgres://u@db.example.org/d?sslmode=verify-full":     false,
		"postgres://u@localhost/d?sslmode=disable":              false,
		"postgres://u@[::1]/d":                                  false,
		"postgres:///d?host=/run/postgresql&sslmode=disable":    false,
		"postgres://u@127.0.0.1,localhost:5433/d?sslmode=allow": false,
	} {
		c := defaults()
		c.URL = url
		p, err := c.pool()
		must(t, err)
		if got := exposed(p.ConnConfig); got != want {
			t.Errorf("%s is exposed: %v", url, got)
		}
	}
	p := sdktest.Start(t, newPlugin(), sdktest.Config(map[string]any{"url": "postgres://u@LOCALHOST:1/d"})) // not known to be this machine
	p.WaitLog("what goes to the database may be read on the way, sslmode=verify-full in url would encrypt it")
}

func TestSorted(t *testing.T) {
	now := time.Now()
	got := sorted([]sdk.Entry{
		{Key: []byte("b"), Version: 6}, {Key: []byte("a"), Version: 1}, {Key: []byte("b"), Version: 3},
		{Key: []byte("c"), Version: 9, Expires: now.Add(-time.Hour)}, {Key: []byte("c"), Version: 2},
	}, now)
	text := ""
	for _, e := range got {
		text += fmt.Sprintf("%s@%d ", e.Key, e.Version)
	}
	if text != "a@1 b@6 c@2 " {
		t.Errorf("a batch becomes %s", text)
	}
	text = ""
	for _, e := range doomed([]sdk.Entry{{Key: []byte("b"), Version: 1}, {Key: []byte("a"), Version: 1}, {Key: []byte("b"), Version: 3}}) {
		text += fmt.Sprintf("%s@%d ", e.Key, e.Version)
	}
	if text != "a@1 b@3 " {
		t.Errorf("a batch of deletions becomes %s", text)
	}
}

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/discv5/host/examples/plugins/internal/servers"
	"github.com/discv5/host/sdk"
	"github.com/discv5/host/sdk/sdktest"
	"github.com/hashicorp/go-hclog"
	"github.com/redis/go-redis/v9"
)

// raw is a client of a server of a test.
func raw(t testing.TB, socket string) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: socket, DisableIdentity: true})
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func entry(key, value string, version uint64, expires time.Time) sdk.Entry {
	return sdk.Entry{Key: []byte(key), Value: []byte(value), Version: version, Expires: expires}
}

// opened is the store without the plugin around it.
func opened(t testing.TB, socket string) *store {
	t.Helper()
	c := defaults()
	c.Addresses = []string{"unix:" + socket}
	client, err := connect(&c, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	warn := func(message string, _ ...any) { t.Error("it warns:", message) }
	return &store{client: client, keys: keysOf(c.Prefix), self: t.Name(), refused: errUnchecked, warn: warn}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// waitUntil waits for a time of the server, whose clock is ours.
func waitUntil(at time.Time) {
	timer := time.NewTimer(time.Until(at) + 10*time.Millisecond)
	<-timer.C
}

func TestExpiryIsTheServersOwn(t *testing.T) {
	server := servers.Redis(t)
	s, c, ctx := opened(t, server.Socket), raw(t, server.Socket), context.Background()
	soon := time.Now().Add(time.Second) // more than a put takes
	must(t, s.Put(ctx, []sdk.Entry{entry("a", "x", 1, soon), entry("b", "x", 1, time.Now().Add(time.Hour)), entry("c", "x", 1, time.Time{})}))
	if ttl := c.PTTL(ctx, "{discv5host}:e:b").Val(); ttl < 59*time.Minute || ttl > time.Hour {
		t.Errorf("an entry lives for %v in the server", ttl)
	}
	waitUntil(soon)
	if n := c.Exists(ctx, "{discv5host}:e:a").Val(); n != 0 {
		t.Error("an expired entry is in the server")
	}
	if n := c.ZCard(ctx, "{discv5host}:index").Val(); n != 3 {
		t.Errorf("%d keys in the index before a sweep", n)
	}
	if n, err := s.sweep(ctx); n != 1 || err != nil {
		t.Errorf("a sweep removed %d keys, %v", n, err)
	}
	if n := c.ZCard(ctx, "{discv5host}:index").Val(); n != 2 {
		t.Errorf("%d keys in the index after a sweep", n)
	}
}

func TestScanCleansTheIndex(t *testing.T) {
	server := servers.Redis(t)
	s, c, ctx := opened(t, server.Socket), raw(t, server.Socket), context.Background()
	soon := time.Now().Add(300 * time.Millisecond)
	var entries []sdk.Entry
	for i := range 3 * scanChunk {
		e := entry(fmt.Sprintf("%05d", i), "x", 1, soon)
		if i%scanChunk == scanChunk-1 {
			e.Expires = time.Time{}
		}
		entries = append(entries, e)
	}
	must(t, s.Put(ctx, entries))
	waitUntil(soon)
	found, err := s.Scan(ctx, nil, nil, 10)
	if err != nil || len(found) != 3 {
		t.Errorf("a scan found %d entries that are left, %v", len(found), err)
	}
	if n := c.ZCard(ctx, "{discv5host}:index").Val(); n != 3 {
		t.Errorf("%d keys in the index after a scan", n)
	}
}

// Many hosts write into a stream that nobody shortens by hand.
func TestChangesAreBounded(t *testing.T) {
	server := servers.Redis(t, "--appendonly", "no")
	s, c, ctx := opened(t, server.Socket), raw(t, server.Socket), context.Background()
	for i := range maxChanges + maxChanges/2 {
		must(t, s.Put(ctx, []sdk.Entry{entry("a", "x", uint64(i), time.Time{})}))
	}
	var entries []sdk.Entry
	for i := range 3*changeKeys + 1 {
		entries = append(entries, entry(fmt.Sprint(i), "x", 1, time.Time{}))
	}
	must(t, s.Put(ctx, entries))
	newest, err := c.XRevRangeN(ctx, "{discv5host}:changes", "+", "-", 4).Result()
	must(t, err)
	for i, m := range newest {
		if got, want := len(named(m)), []int{1, changeKeys, changeKeys, changeKeys}[i]; got != want {
			t.Errorf("a batch of changes has %d keys, not %d", got, want)
		}
	}
	if n := c.XLen(ctx, "{discv5host}:changes").Val(); n > maxChanges+200 {
		t.Errorf("%d batches of changes are kept", n)
	}
	n := c.XLen(ctx, "{discv5host}:changes").Val()
	must(t, s.Put(ctx, []sdk.Entry{entry("a", "x", maxChanges+maxChanges/2-1, time.Now().Add(time.Hour))}))
	if after := c.XLen(ctx, "{discv5host}:changes").Val(); after != n {
		t.Error("an entry that only lives longer is told as a change")
	}
}

func TestLayoutOfAnotherVersion(t *testing.T) {
	server := servers.Redis(t)
	must(t, raw(t, server.Socket).Set(context.Background(), "{discv5host}:schema", "2", 0).Err())
	_, err := sdktest.Try(t, sdktest.Source{New: newPlugin, Config: at(server.Socket)})
	if err == nil || !strings.Contains(err.Error(), "this version knows 1") || !strings.Contains(err.Error(), "another prefix") {
		t.Errorf("it starts on another layout: %v", err)
	}
	sdktest.Start(t, newPlugin(), sdktest.Config(at(server.Socket, "prefix", "other")))
}

// What is no entry stands in nobody's way.
func TestForeignEntry(t *testing.T) {
	server := servers.Redis(t)
	s, c, ctx := opened(t, server.Socket), raw(t, server.Socket), context.Background()
	var told []string
	s.warn = func(message string, args ...any) { told = append(told, fmt.Sprint(args...)) }
	foreign := func() {
		must(t, c.Set(ctx, "{discv5host}:e:a", "short", 0).Err())
		must(t, c.Del(ctx, "{discv5host}:e:b").Err())
		must(t, c.LPush(ctx, "{discv5host}:e:b", "a list").Err())
		must(t, c.ZAdd(ctx, "{discv5host}:index", redis.Z{Member: "a"}, redis.Z{Member: "b"}).Err())
	}
	has := func(why, want string) {
		t.Helper()
		for what, read := range map[string]func() ([]sdk.Entry, error){
			"Get":  func() ([]sdk.Entry, error) { return s.Get(ctx, [][]byte{[]byte("a"), []byte("b"), []byte("c")}) },
			"Scan": func() ([]sdk.Entry, error) { return s.Scan(ctx, nil, nil, 10) },
		} {
			found, err := read()
			got := ""
			for _, e := range found {
				got += fmt.Sprintf("%s@%d ", e.Key, e.Version)
			}
			if got != want || err != nil {
				t.Errorf("%s: %s returns %q, %v", why, what, got, err)
			}
		}
	}
	foreign()
	must(t, s.Put(ctx, []sdk.Entry{entry("c", "x", 1, time.Time{})}))
	has("beside what is foreign", "c@1 ")
	if len(told) != 1 || !strings.Contains(told[0], "e:a") {
		t.Errorf("it tells %q", told)
	}
	must(t, s.Put(ctx, []sdk.Entry{entry("a", "x", 1, time.Time{}), entry("b", "x", 2, time.Time{})}))
	has("in the place of what is foreign", "a@1 b@2 c@1 ")
	foreign()
	must(t, s.Delete(ctx, []sdk.Entry{entry("a", "", 1, time.Time{}), entry("b", "", 1, time.Time{})}))
	if n := c.Exists(ctx, "{discv5host}:e:a", "{discv5host}:e:b").Val(); n != 0 {
		t.Errorf("%d foreign entries cannot be removed", n)
	}
}

// A watch goes on after a server that has lost its changes, whose clock is behind too.
func TestWatchOfAServerThatForgot(t *testing.T) {
	server := servers.Redis(t)
	a, b, c := opened(t, server.Socket), opened(t, server.Socket), raw(t, server.Socket)
	b.self = "another"
	ctx := context.Background()
	must(t, c.XAdd(ctx, &redis.XAddArgs{Stream: "{discv5host}:changes", ID: "99999999999999-5", Values: []string{"by", "somebody", "keys", ""}}).Err())
	must(t, a.check(ctx))
	last, err := a.newestChange(ctx)
	if err != nil || last != "99999999999999-5" {
		t.Fatal(last, err)
	}
	var told []string
	look := func() {
		t.Helper()
		next, err := a.changes(ctx, nil, last, func(entries []sdk.Entry) {
			for _, e := range entries {
				told = append(told, string(e.Key))
			}
		})
		if err == nil && next == last {
			next, err = a.place(ctx, last)
		}
		must(t, err)
		last = next
	}
	look()
	if last != "99999999999999-5" {
		t.Errorf("without a change the place becomes %s", last)
	}
	must(t, c.Del(ctx, "{discv5host}:changes").Err())
	look() // of nothing
	must(t, b.Put(ctx, []sdk.Entry{entry("a", "x", 1, time.Time{})}))
	look()
	look()
	if len(told) != 1 || told[0] != "a" {
		t.Errorf("it tells of %q, and goes on at %s", told, last)
	}
}

func TestEarlier(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{{"0", "1-0", true}, {"9-9", "10-0", true}, {"10-9", "10-10", true}, {"10-0", "10-0", false}, {"10-0", "9-9", false}} {
		if got := earlier(test.a, test.b); got != test.want {
			t.Errorf("%s before %s: %v", test.a, test.b, got)
		}
	}
}

// What a server may lose is told, and refused when that is wanted.
func TestDurability(t *testing.T) {
	server := servers.Redis(t, "--appendfsync", "everysec", "--maxmemory-policy", "allkeys-lru")
	p := sdktest.Start(t, newPlugin(), sdktest.Config(at(server.Socket)))
	p.WaitLog("what is stored may be lost")
	quiet := sdktest.Start(t, newPlugin(), sdktest.Config(at(server.Socket, "durability", "ignore")))
	if logs := quiet.Logs(); len(logs) != 0 {
		t.Errorf("it logs %q", logs)
	}
	_, err := sdktest.Try(t, sdktest.Source{New: newPlugin, Config: at(server.Socket, "durability", "require")})
	if err == nil || !strings.Contains(err.Error(), "appendfsync always") || !strings.Contains(err.Error(), "noeviction") {
		t.Errorf("it starts on a server that may lose data: %v", err)
	}
	durable := servers.Redis(t)
	sdktest.Start(t, newPlugin(), sdktest.Config(at(durable.Socket, "durability", "require")))
}

// Passwords reach the server and nothing else.
func TestCredentials(t *testing.T) {
	const secret = "correct-horse"
	server := servers.Redis(t)
	c, ctx := raw(t, server.Socket), context.Background()
	rights := "on >" + secret + " ~{fleet}:* +@read +@write +@connection +@scripting +time +config|get"
	must(t, c.Do(ctx, anys("ACL", "SETUSER", "discv5", strings.Fields(rights))...).Err())
	must(t, c.ConfigSet(ctx, "requirepass", "admin").Err())
	good := at(server.Socket, "username", "discv5", "password", secret+"\n", "prefix", "fleet") // a file ends so
	p := sdktest.Start(t, newPlugin(), sdktest.Config(good))
	must(t, p.Store().Put(ctx, []sdk.Entry{entry("a", "x", 1, time.Time{})}))
	sdktest.Conformance(t, sdktest.Source{New: newPlugin, Config: good}) // these rights are enough
	for what, config := range map[string]map[string]any{
		"wrong password": at(server.Socket, "username", "discv5", "password", secret+"x", "prefix", "fleet"),
		"no password":    at(server.Socket, "prefix", "fleet"),
		"other keys":     at(server.Socket, "username", "discv5", "password", secret, "prefix", "others"),
	} {
		_, err := sdktest.Try(t, sdktest.Source{New: newPlugin, Config: config})
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, line := range p.Logs() {
		if strings.Contains(line, secret) {
			t.Errorf("the log has the password: %s", line)
		}
	}
}

func anys(first, second, third string, more []string) []any {
	all := []any{first, second, third}
	for _, m := range more {
		all = append(all, m)
	}
	return all
}

// When the server's memory is full, what is there can be read, health says so, and room can be made.
func TestFullServer(t *testing.T) {
	server := servers.Redis(t, "--maxmemory", "6mb", "--maxmemory-policy", "noeviction")
	p := sdktest.Start(t, newPlugin(), sdktest.Config(at(server.Socket)))
	ctx := context.Background()
	var err error
	n := 0
	for ; err == nil && n < 400; n++ {
		err = p.Store().Put(ctx, []sdk.Entry{entry(fmt.Sprint(n), strings.Repeat("x", 60_000), 1, time.Time{})})
	}
	if err == nil || !strings.Contains(err.Error(), "OOM") {
		t.Fatalf("a full server took %d entries: %v", n, err)
	}
	if h := p.Health(); !strings.HasPrefix(h, "degraded: ") || !strings.Contains(h, "OOM") {
		t.Errorf("health says %q", h)
	}
	if found, err := p.Store().Get(ctx, [][]byte{[]byte("0")}); err != nil || len(found) != 1 {
		t.Errorf("what is there cannot be read: %v", err)
	}
}

func TestConfig(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "text"), []byte("no certificate"), 0o600))
	for says, change := range map[string]func(*config){
		"addresses is empty":         func(c *config) { c.Addresses = nil },
		"is not host:port":           func(c *config) { c.Addresses = []string{"redis://user:secret@host:6379"} },
		"number 1 is not":            func(c *config) { c.Addresses = []string{"secret@host:6379"} },
		"has no path":                func(c *config) { c.Addresses = []string{"unix:"} },
		"set cluster = true":         func(c *config) { c.Addresses = []string{"a:1", "b:1"} },
		"both cluster and":           func(c *config) { c.Cluster, c.Master = true, "m" },
		"a Cluster has only 0":       func(c *config) { c.Cluster, c.Database = true, 1 },
		"database is -1":             func(c *config) { c.Database = -1 },
		"a username and no password": func(c *config) { c.Username = "u" },
		"prefix must have":           func(c *config) { c.Prefix = "a{b" },
		"timeout is 0s":              func(c *config) { c.Timeout = 0 },
		"durability is \"no\"":       func(c *config) { c.Durability = "no" },
		"cert_file and key_file":     func(c *config) { c.TLS = &tlsConfig{Cert: "a"} },
	} {
		c := defaults()
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", says, err)
		}
	}
	c := defaults()
	must(t, c.Validate())
	for says, change := range map[string]*tlsConfig{
		"no certificate in PEM": {CA: filepath.Join(dir, "text")},
		"no such file":          {CA: filepath.Join(dir, "none")},
		"cert_file":             {Cert: filepath.Join(dir, "text"), Key: filepath.Join(dir, "text")},
	} {
		if _, err := change.config(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}

// What may go over a network as it is, is told at the start.
func TestExposed(t *testing.T) {
	for address, want := range map[string]bool{
		"unix:/run/redis": false, "127.0.0.1:6379": false, "[::1]:6379": false, "localhost:6379": false,
		"192.0.2.1:6379": true, "redis:6379": true, "[2001:db8::1]:6379": true,
	} {
		c := defaults()
		if c.Addresses = []string{address}; c.exposed() != want {
			t.Errorf("%s is exposed: %v", address, !want)
		}
		if c.TLS = new(tlsConfig); c.exposed() {
			t.Errorf("%s is exposed with TLS", address)
		}
	}
	p := sdktest.Start(t, newPlugin(), sdktest.Config(map[string]any{"addresses": []string{"LOCALHOST:1"}})) // not known to be this machine
	p.WaitLog("what goes to the server may be read on the way, a tls block would encrypt it")
}

func TestBounds(t *testing.T) {
	for _, test := range []struct{ prefix, after, low, high string }{
		{"", "", "-", "+"},
		{"", "a", "(a", "+"},
		{"a", "", "[a", "(b"},
		{"a", "ab", "(ab", "(b"},
		{"b", "a", "[b", "(c"},
		{"a\xff", "", "[a\xff", "(b"},
		{"\xff\xff", "", "[\xff\xff", "+"},
	} {
		if low, high := bounds([]byte(test.prefix), []byte(test.after)); low != test.low || high != test.high {
			t.Errorf("a scan of %q after %q is from %q to %q", test.prefix, test.after, low, high)
		}
	}
}

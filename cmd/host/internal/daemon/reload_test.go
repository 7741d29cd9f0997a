package daemon

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/discv5/host/cmd/host/internal/admin"
	"github.com/discv5/host/cmd/host/internal/config"
	"github.com/discv5/host/plugins"
	"github.com/hashicorp/go-hclog"
)

// reloadRig is a host with a configuration file.
type reloadRig struct {
	t    *testing.T
	h    *host
	file string
}

func (r *reloadRig) write(text string) {
	r.t.Helper()
	if err := os.WriteFile(r.file, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func newReloadRig(t *testing.T, text string) *reloadRig {
	t.Helper()
	dir, err := os.MkdirTemp("", "rl") // sockets need a short path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	r := &reloadRig{t: t, file: filepath.Join(dir, "host.hcl")}
	r.write(text)
	env := []string{"HOST_LISTEN=127.0.0.1:0", "HOST_DATA_DIR=" + filepath.Join(dir, "data"), "HOST_CONFIG=" + r.file}
	load := func(ctx context.Context) (*config.Loaded, error) { return config.Load(ctx, config.Sources{Env: env}) }
	loaded, err := load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	log := hclog.New(&hclog.LoggerOptions{Output: io.Discard, Level: hclog.Info})
	if r.h, err = start(t.Context(), Options{Loaded: loaded, Load: load, Out: io.Discard, Log: log}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.h.stop(); err != nil {
			t.Error(err)
		}
	})
	if err := r.h.set.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *reloadRig) reload(text string) admin.ReloadResult {
	r.t.Helper()
	r.write(text)
	result, err := r.h.reload(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return result
}

func (r *reloadRig) want(result admin.ReloadResult, want string) {
	r.t.Helper()
	var refused []string
	for _, x := range result.Refused {
		refused = append(refused, x.What)
	}
	if got := fmt.Sprintf("changed %v, refused %v, restart %v, unchanged %v", result.Changed, refused, result.Restart, result.Unchanged); got != want {
		r.t.Errorf("%s\nwant %s\n%v", got, want, result.String())
	}
}

func (r *reloadRig) plugin(id string) plugins.Status {
	r.t.Helper()
	all := r.h.set.Status()
	i := slices.IndexFunc(all, func(s plugins.Status) bool { return s.ID == id })
	if i < 0 {
		r.t.Fatalf("there is no plugin %s", id)
	}
	return all[i]
}

const record = "enr:-IS4QHCYrYZbAKWCBRlAy5zzaDZXJBGkcnh4MHcBFZntXNFrdvJjX04jRzjzCBOonrkTfj499SZuOh8R33Ls8RRcy5wBgmlkgnY0gmlwhH8AAAGJc2VjcDI1NmsxoQPKY0yuDUmstAHYpMa2_oxVtw0RW_QAdpzBQA8yWM0xOIN1ZHCCdl8"

func TestReloadKeys(t *testing.T) {
	r := newReloadRig(t, `bans = ["192.0.2.0/24", "198.51.100.7"]`)
	if got := len(r.h.node.Bans()); got != 2 {
		t.Fatalf("%d bans at the start, want 2", got)
	}
	r.want(r.reload(`bans = ["192.0.2.0/24", "198.51.100.7"]`), "changed [], refused [], restart [], unchanged []")

	const next = `
log_level = "debug"
bootnodes = ["` + record + `"]
bans = ["192.0.2.0/24", "203.0.113.0/25"]
session_cache = 128
limits {
  handshakes = 7
}
table {
  bucket_ip_limit = 3
}
`
	r.want(r.reload(next), "changed [log_level limits.handshakes bans bootnodes], refused [], restart [session_cache table.bucket_ip_limit], unchanged []")
	if !r.h.log.IsDebug() {
		t.Error("the log level stayed")
	}
	if nodes, _ := r.h.node.Len(); nodes != 1 {
		t.Errorf("%d nodes in the table, want the new bootnode", nodes)
	}
	var bans []string
	for _, b := range r.h.node.Bans() {
		bans = append(bans, b.Prefix.String())
	}
	slices.Sort(bans)
	if want := []string{"192.0.2.0/24", "203.0.113.0/25"}; !slices.Equal(bans, want) {
		t.Errorf("bans %v, want %v", bans, want)
	}
	r.want(r.reload(next), "changed [], refused [], restart [session_cache table.bucket_ip_limit], unchanged []")
	if err := r.h.setLogLevel("error"); err != nil {
		t.Fatal(err)
	}
	r.want(r.reload(next), "changed [log_level], refused [], restart [session_cache table.bucket_ip_limit], unchanged []")
}

// A configuration with a mistake changes nothing at all.
func TestReloadWithAMistake(t *testing.T) {
	r := newReloadRig(t, ``)
	for _, wrong := range []string{
		"log_level = \"debug\"\nsesion_cache = 1",
		"log_level = \"debug\"\nplugin \"talk\" \"x\" {\n source = \"builtin:none\"\n}",
		"log_level = \"debug\"\nadmin {\n listen = \"127.0.0.1:1\"\n}",
		"log_level = \"debug\"\nplugin \"talk\" \"x\" {\n source = \"./missing\"\n}",
		"log_level = \"debug\"\nplugin \"talk\" \"x\" {\n source = \"builtin:bolt\"\n}",
		"log_level = \"debug\"\nplugin \"filter\" \"x\" {\n source = \"builtin:expr\"\n config {\n no_such_key = 1\n }\n}",
	} {
		result := r.reload(wrong)
		if len(result.Refused) == 0 || len(result.Changed) > 0 || !strings.Contains(result.Refused[0].What, "host.hcl:") || result.Refused[0].Hint == "" {
			t.Errorf("%q: %+v", wrong, result)
		}
		if r.h.log.IsDebug() || len(r.h.set.Status()) > 0 {
			t.Errorf("%q was taken over in part", wrong)
		}
	}
	os.Remove(r.file)
	if result, _ := r.h.reload(t.Context()); len(result.Refused) != 1 {
		t.Errorf("without the file: %+v", result)
	}
}

func TestReloadPlugins(t *testing.T) {
	const stays = "plugin \"talk\" \"stays\" {\n source = \"builtin:echo\"\n protocols = [\"a\"]\n}\n"
	talk := func(name, protocol string) string {
		return fmt.Sprintf("plugin \"talk\" %q {\n source = \"builtin:echo\"\n protocols = [%q]\n}\n", name, protocol)
	}
	filter := func(expression string) string {
		return fmt.Sprintf("plugin \"filter\" \"f\" {\n source = \"builtin:expr\"\n config {\n expression = %q\n }\n}\n", expression)
	}
	r := newReloadRig(t, stays+talk("changes", "b")+talk("goes", "c")+filter("true"))
	stayed, changed := r.plugin("talk.stays").PID, r.plugin("talk.changes").PID

	r.want(r.reload(stays+talk("changes", "d")+talk("comes", "e")+filter("false")), "changed [filter.f talk.changes talk.comes talk.goes], refused [], restart [], unchanged [talk.stays]")
	if r.plugin("talk.stays").PID != stayed || r.plugin("talk.changes").PID == changed {
		t.Error("the wrong processes were replaced")
	}
	if got := r.plugin("talk.comes").State; got != plugins.Running {
		t.Errorf("the new plugin is %v", got)
	}

	// What a plugin does not take leaves it as it was; the next reload with a good block goes on from there.
	bad := strings.Replace(filter("true"), "config {", "config {\n reason = \"No Code\"", 1) // which the plugin alone can tell
	result := r.reload(stays + talk("changes", "d") + talk("comes", "f") + bad)
	r.want(result, "changed [talk.comes], refused [filter.f], restart [], unchanged [talk.stays talk.changes]")
	if got := r.plugin("filter.f"); got.State != plugins.Running || !strings.Contains(result.Refused[0].Why, "reason") {
		t.Errorf("the filter is %v, and the refusal says %q", got.State, result.Refused[0].Why)
	}
	r.want(r.reload(stays+talk("changes", "d")+talk("comes", "f")+filter("false")), "changed [], refused [], restart [], unchanged [talk.stays talk.changes talk.comes filter.f]")

	// A store that comes needs a restart, each time.
	const store = "plugin \"store\" \"disk\" {\n source = \"builtin:bolt\"\n}\n"
	r.want(r.reload(stays+store), "changed [filter.f talk.changes talk.comes], refused [], restart [store.disk], unchanged [talk.stays]")
	r.want(r.reload(stays+store), "changed [], refused [], restart [store.disk], unchanged [talk.stays]")
}

// A plugin is replaced when a file that its block names says something else.
func TestReloadReadsFilesAnew(t *testing.T) {
	const text = "plugin \"filter\" \"f\" {\n source = \"builtin:expr\"\n config {\n expression = file(\"e.txt\")\n }\n}\n"
	dir := t.TempDir()
	write := func(expression string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "e.txt"), []byte(expression), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("true")
	config := strings.Replace(text, "e.txt", filepath.ToSlash(filepath.Join(dir, "e.txt")), 1)
	r := newReloadRig(t, config)
	r.want(r.reload(config), "changed [], refused [], restart [], unchanged [filter.f]")
	write("false")
	r.want(r.reload(config), "changed [filter.f], refused [], restart [], unchanged []")
	write("no_such_name")
	if result := r.reload(config); len(result.Refused) != 1 || len(result.Changed) > 0 {
		t.Errorf("%+v", result)
	}
}

func TestReloadOnePlugin(t *testing.T) {
	const echo = "plugin \"talk\" \"e\" {\n source = \"builtin:echo\"\n%s\n}\n"
	r := newReloadRig(t, fmt.Sprintf(echo, ""))
	before := r.plugin("talk.e").PID
	result, err := r.h.reloadPlugin(t.Context(), "talk.e")
	if err != nil || len(result.Changed) != 1 || r.plugin("talk.e").PID == before {
		t.Errorf("%+v, %v, and the process is the same: %v", result, err, r.plugin("talk.e").PID == before)
	}
	r.write("log_level = \"debug\"\n" + fmt.Sprintf(echo, "protocols = [\"x\"]"))
	if result, err = r.h.reloadPlugin(t.Context(), "talk.e"); err != nil || len(result.Changed) != 1 || r.h.log.IsDebug() {
		t.Errorf("%+v, %v; it took over more: %v", result, err, r.h.log.IsDebug())
	}
	if got := r.plugin("talk.e").Protocols; !slices.Equal(got, []string{"x"}) {
		t.Errorf("it serves %q", got)
	}
	if _, err := r.h.reloadPlugin(t.Context(), "talk.none"); err == nil {
		t.Error("a plugin that the configuration does not have was replaced")
	}
}

// A deadline that is taken over for one plugin holds for its requests.
func TestReloadOnePluginTakesItsLimits(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text := func(deadline string) string {
		return fmt.Sprintf("plugin \"talk\" \"slow\" {\n source = %q\n args = [%q]\n deadline = %q\n}\n", program, slowCommand, deadline)
	}
	r := newReloadRig(t, text("300ms"))
	asker := listenLocal(t)
	ask := func(want string) {
		t.Helper()
		if got, err := asker.Talk(t.Context(), r.h.node.Self(), "slow", []byte("hi")); err != nil || string(got) != want {
			t.Errorf("answer %q, %v, want %q", got, err, want)
		}
	}
	ask("")
	r.write(text("3s"))
	if result, err := r.h.reloadPlugin(t.Context(), "talk.slow"); err != nil || len(result.Changed) != 1 {
		t.Fatalf("%+v, %v", result, err)
	}
	ask("hi")
}

// Nobody reloads a host that is ending, or while somebody else does.
func TestReloadWaitsForItsTurn(t *testing.T) {
	r := newReloadRig(t, "")
	r.h.reloading <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { _, err := r.h.reload(ctx); done <- err }()
	cancel()
	if err := <-done; err == nil {
		t.Error("two reloads at a time")
	}
	<-r.h.reloading
	if _, err := r.h.reload(ctx); err == nil {
		t.Error("a reload without anybody who wants it")
	}
	r.want(r.reload("log_level = \"warn\""), "changed [log_level], refused [], restart [], unchanged []")
}

// A host whose configuration cannot be read again says so.
func TestReloadWithoutAFile(t *testing.T) {
	loaded := &config.Loaded{Config: *settings(t)}
	loaded.Config.Listen = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}
	h, err := start(t.Context(), Options{Loaded: loaded, Out: io.Discard, Log: hclog.NewNullLogger()})
	if err != nil {
		t.Fatal(err)
	}
	defer h.stop()
	if result, err := h.reload(t.Context()); err != nil || len(result.Refused) != 1 {
		t.Errorf("%+v, %v", result, err)
	}
}

func TestWatchFiles(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "host.hcl")
	put := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(file, "")
	loaded := &config.Loaded{Files: []string{file}, Config: config.Config{WatchConfig: true}}
	changed := watchFiles(t.Context(), Options{Loaded: loaded, Load: func(context.Context) (*config.Loaded, error) { return loaded, nil }}, hclog.NewNullLogger())
	wait := func(what string) {
		t.Helper()
		select {
		case <-changed:
		case <-time.After(20 * time.Second):
			t.Fatal("not told of " + what)
		}
	}
	put(filepath.Join(dir, "host.log"), "not one of them")
	put(file, "log_level = \"debug\"")
	wait("a file that is written")
	other := filepath.Join(dir, "other")
	put(other, "")
	if err := os.Rename(other, file); err != nil {
		t.Fatal(err)
	}
	wait("a file that is replaced")
	put(filepath.Join(dir, "more.hcl"), "")
	wait("a new file")
	for path, want := range map[string]bool{"host.log": false, "host.hcl~": false, "host.hcl": true, "..data": true} {
		if got := ofConfiguration(filepath.Join(dir, path), loaded.Files); got != want {
			t.Errorf("%s belongs to the configuration: %v", path, got)
		}
	}
}

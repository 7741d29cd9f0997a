package cli

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/discv5/host/cmd/host/internal/admin"
)

var update = flag.Bool("update", false, "write the golden files anew")

// host runs a command line and returns what it prints and its status.
func host(args ...string) (stdout, stderr string, status int) {
	var out, errs bytes.Buffer
	status = Main(args, strings.NewReader(""), &out, &errs)
	return out.String(), errs.String(), status
}

// changing are the parts of an output that differ between runs, and what stands for them.
var changing = []struct {
	what *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+(Z|[+-]\d\d:\d\d)`), "TIME"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`), "yyyy-mm-dd hh:mm:ss"},
	{regexp.MustCompile(`up \d+s\n`), "up 0s\n"},
	{regexp.MustCompile(`refused, \d+s ago`), "refused, 0s ago"},
	{regexp.MustCompile(`2h30m\d+s`), "2h30m30s"},
	{regexp.MustCompile(`"uptimeSeconds": [0-9.e-]+`), `"uptimeSeconds": 0`},
}

// Every command shows people and machines what the golden files have.
func TestCommandsOnRunningHost(t *testing.T) {
	peer := fixedNode(2, 2)
	id, record := "0x"+peer.ID().String(), peer.String()
	for _, c := range []struct {
		name string
		args []string
	}{
		{"status", []string{"status"}},
		{"status_reloaded", []string{"status"}},
		{"nodes", []string{"nodes"}},
		{"nodes_some", []string{"nodes", "--limit", "1", "--verified"}},
		{"nodes_filter", []string{"nodes", "--filter", "seq > 2"}},
		{"nodes_filter_mistake", []string{"nodes", "--filter", "sqe > 2"}},
		{"nodes_limit_mistake", []string{"nodes", "--limit", "-1"}},
		{"plugin_list", []string{"plugin", "list"}},
		{"plugin_status", []string{"plugin", "status", "echo"}},
		{"plugin_status_refused", []string{"plugin", "status", "store.bolt"}},
		{"plugin_status_unknown", []string{"plugin", "status", "ecko"}},
		{"plugin_logs", []string{"plugin", "logs", "echo"}},
		{"plugin_logs_one", []string{"plugin", "logs", "--lines", "1", "echo"}},
		{"plugin_logs_none", []string{"plugin", "logs", "bolt"}},
		{"plugin_restart", []string{"plugin", "restart", "echo"}},
		{"plugin_restart_refused", []string{"plugin", "restart", "bolt"}},
		{"plugin_disable", []string{"plugin", "disable", "echo"}},
		{"plugin_enable", []string{"plugin", "enable", "echo"}},
		{"plugin_reload", []string{"plugin", "reload", "echo"}},
		{"filter_list", []string{"filter", "list"}},
		{"filter_explain", []string{"filter", "explain", record}},
		{"filter_explain_id", []string{"filter", "explain", id}},
		{"filter_explain_mistake", []string{"filter", "explain", "enr:-x"}},
		{"ban_add", []string{"ban", "add", "192.0.2.0/24", "1h30m", "floods us"}},
		{"ban_add_seconds", []string{"ban", "add", record, "3600"}},
		{"ban_add_time_mistake", []string{"ban", "add", id, "tomorrow"}},
		{"ban_add_subject_mistake", []string{"ban", "add", "somebody", "1h"}},
		{"ban_list_none", []string{"ban", "list"}},
		{"ban_remove", []string{"ban", "remove", "192.0.2.0/24"}},
		{"ban_remove_none", []string{"ban", "remove", "192.0.2.1"}},
		{"enr_show", []string{"enr", "show"}},
		{"enr_set", []string{"enr", "set", "tcp=30303", "eth2=0x0102", "a=text:12", "l=rlp:0xc0"}},
		{"enr_set_mistake", []string{"enr", "set", "tcp"}},
		{"enr_set_twice", []string{"enr", "set", "a=1", "a=2"}},
		{"enr_set_hex_mistake", []string{"enr", "set", "a=0x1"}},
		{"enr_set_reserved", []string{"enr", "set", "id=v5"}},
		{"enr_unset", []string{"enr", "unset", "client", "tcp"}},
		{"enr_mistyped", []string{"enr", "shwo"}},
		{"reload", []string{"reload"}},
		{"log_level", []string{"log-level"}},
		{"log_level_set", []string{"log-level", "debug"}},
		{"log_level_mistake", []string{"log-level", "loud"}},
	} {
		for _, form := range []string{"", "--json"} {
			if form != "" && (strings.Contains(c.name, "mist") || strings.HasSuffix(c.name, "_twice")) {
				continue // a mistake has one form
			}
			r := newRig(t, nil)
			if c.name == "status_reloaded" {
				host("reload", "--data-dir", r.dir)
			}
			args := append(slices.Clone(c.args), "--data-dir", r.dir)
			if c.name == "enr_mistyped" {
				args = c.args
			}
			if form != "" {
				args = append(args, form)
			}
			stdout, stderr, status := host(args...)
			got := fmt.Sprintf("status %d\n", status)
			if stdout != "" {
				got += "-- stdout --\n" + stdout
			}
			if stderr != "" {
				got += "-- stderr --\n" + stderr
			}
			for _, c := range changing {
				got = c.what.ReplaceAllString(got, c.with)
			}
			file := filepath.Join("testdata", "operate", c.name+strings.ReplaceAll(form, "--", ".")+".golden")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				continue
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("host %s prints\n%s\nwant\n%s\ngo test -run %s -update writes it anew", strings.Join(args, " "), got, want, t.Name())
			}
		}
	}
}

// What a command tells the host to do is done.
func TestActionsReachTheHost(t *testing.T) {
	r := newRig(t, nil)
	for _, args := range [][]string{
		{"plugin", "restart", "echo"}, {"plugin", "disable", "talk.echo"}, {"plugin", "enable", "echo"}, {"ban", "add", "192.0.2.1", "60", "floods us"},
		{"enr", "set", "tcp=30303", "a=text:12", "b=0x0102", "c=", "d=18446744073709551616"},
	} {
		if _, stderr, status := host(append(args, "--socket", r.server.Socket())...); status != exitOK {
			t.Errorf("host %s: %d %s", strings.Join(args, " "), status, stderr)
		}
	}
	if want := []string{"restart talk.echo", "disable talk.echo", "enable talk.echo"}; !slices.Equal(r.plugins.calls, want) {
		t.Errorf("plugins were told to %q, want %q", r.plugins.calls, want)
	}
	if b := r.node.Bans(); len(b) != 1 || b[0].Prefix.String() != "192.0.2.1/32" || b[0].Reason != "floods us" {
		t.Errorf("bans %v", b)
	}
	want := `map[a:12 b:[1 2] c: d:18446744073709551616 tcp:30303]`
	if got := fmt.Sprint(r.node.set); got != want || r.node.set["a"] != "12" || r.node.set["tcp"] != uint64(30303) {
		t.Errorf("fields %v, want %s", got, want)
	}
	if _, _, status := host("enr", "unset", "a", "b", "--socket", r.server.Socket()); status != exitOK || !slices.Equal(r.node.unset, []string{"a", "b"}) {
		t.Errorf("%q are removed", r.node.unset)
	}
}

// A command finds the host that its flags, the file or the variables mean.
func TestFindingTheHost(t *testing.T) {
	const token = "0123456789abcdef"
	r := newRig(t, func(c *admin.Config) {
		c.TCP, c.Token = netip.MustParseAddrPort("127.0.0.1:0"), token
	})
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	quoted := func(text string) string { b, _ := json.Marshal(text); return string(b) }
	url := "http://" + r.server.TCPAddr().String()
	good, wrong, empty := file("good", token+"\n"), file("wrong", "fedcba9876543210"), file("empty", " \n")
	atTCP := fmt.Sprintf("admin {\n  socket = \"none\"\n  listen = %q\n  token = %q\n}\n", r.server.TCPAddr(), token)
	for _, c := range []struct {
		args   []string
		status int
		want   string // on stderr
	}{
		{[]string{"--data-dir", r.dir}, exitOK, ""},
		{[]string{"--socket", r.server.Socket()}, exitOK, ""},
		{[]string{"--config", file("data.hcl", "data_dir = "+quoted(r.dir))}, exitOK, ""},
		{[]string{"--config", file("socket.hcl", "admin {\n  socket = "+quoted(r.server.Socket())+"\n}")}, exitOK, ""},
		{[]string{"--config", file("tcp.hcl", atTCP)}, exitOK, ""},
		{[]string{"--socket", url, "--token-file", good}, exitOK, ""},
		{[]string{"--socket", url, "--token-file", wrong}, exitFailure, "does not accept the token"},
		{[]string{"--socket", url, "--token-file", empty}, exitFailure, "the file is empty"},
		{[]string{"--socket", url, "--token-file", filepath.Join(dir, "none")}, exitFailure, "--token-file: "},
		{[]string{"--socket", url}, exitUsage, "hint: give the file that it is in with --token-file"},
		{[]string{"--socket", url, "--config", file("url.hcl", atTCP)}, exitOK, ""},
		{[]string{"--socket", strings.TrimPrefix(url, "http://")}, exitUsage, "hint: write it with http:// in front: " + url},
		{[]string{"--socket", "ftp://x", "--token-file", good}, exitUsage, "is not the address of a host"},
		{[]string{"--socket", "/" + strings.Repeat("x", 200)}, exitUsage, "too long"},
		{[]string{"--data-dir", dir}, exitFailure, "hint: is a host running there? host run starts one, and --data-dir says which one is meant"},
		{[]string{"--config", file("none.hcl", "admin {\n  socket = \"none\"\n}")}, exitFailure, "hint: set socket or listen in its admin block"},
		{[]string{"--config", file("bad.hcl", "data_dri = 1")}, exitFailure, "bad.hcl:1:1"},
		{[]string{"--config", file("bad.hcl", "data_dri = 1")}, exitFailure, "note: the configuration does not say where the host is; --data-dir or --socket does"},
		{[]string{"--config", file("bad.hcl", "data_dri = 1"), "--socket", r.server.Socket()}, exitOK, ""},
		{[]string{"--config", file("limits.hcl", "limits { sessoin_rate = 1 }"), "--data-dir", r.dir}, exitOK, "note: 1 mistake in the configuration; host validate shows more"},
		{[]string{"--config", file("level.hcl", "log_level = \"loud\"\nplugin \"talk\" \"x\" {}\ndata_dir = "+quoted(r.dir))}, exitOK, "note: 2 mistakes in the configuration"},
	} {
		stdout, stderr, status := host(append([]string{"ban", "list"}, c.args...)...)
		if status != c.status || !strings.Contains(stderr, c.want) || (status == exitOK) != (stdout == "no bans\n") {
			t.Errorf("host ban list %q ends with %d\n%s%s", c.args, status, stdout, stderr)
		}
	}
	t.Setenv("HOST_DATA_DIR", r.dir)
	if stdout, stderr, status := host("ban", "list"); status != exitOK || stdout != "no bans\n" {
		t.Errorf("by a variable: %d %s", status, stderr)
	}
}

// A shell is told the plugins of the host that is meant, and nothing where there is none.
func TestCompletion(t *testing.T) {
	r := newRig(t, nil)
	file := filepath.Join(t.TempDir(), "c.hcl")
	if err := os.WriteFile(file, fmt.Appendf(nil, "data_dir = %q\n", r.dir), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"plugin", "restart", "--config", file, ""}, []string{"talk.echo\trunning", "store.bolt\trefused", ":4"}},
		{[]string{"plugin", "restart", "--data-dir", r.dir, ""}, []string{"talk.echo\trunning", "store.bolt\trefused", ":4"}},
		{[]string{"plugin", "restart", "--data-dir", t.TempDir(), ""}, []string{":4"}},
		{[]string{"plugin", "restart", "--data-dir", r.dir, "talk.echo", ""}, []string{":4"}},
		{[]string{"events", "--types", "node_a"}, []string{"node_added\n", ":4"}},
		{[]string{"log-level", "d"}, []string{"debug\n", ":4"}},
		{[]string{"run", "--network", ""}, []string{"none\n", "mainnet\n", "sepolia\n", "hoodi\n", ":4"}},
		{[]string{"run", "--nat", "u"}, []string{"upnp\n", ":4"}},
		{[]string{"ping", "--network", "m"}, []string{"mainnet\n", ":4"}},
		{[]string{"crawl", "--format", "c"}, []string{"csv\n", ":4"}},
		{[]string{"filter", "forks", "--network", ""}, []string{"hoodi\nmainnet\nsepolia\n:4"}},
		{[]string{"filter", "test", "--stage", "s"}, []string{"serve\n", ":4"}},
		{[]string{"plugin", "new", ""}, []string{"talk\n", "filter\n", "store\n", ":4"}},
		{[]string{"plugin", "new", "talk", "x", "--lang", ""}, []string{"go\n", "python\n", ":4"}},
		{[]string{"ban", ""}, []string{"add\t", "list\t", "remove\t"}},
		{[]string{"completion", ""}, []string{"bash\t", "fish\t", "powershell\t", "zsh\t"}},
	} {
		stdout, stderr, status := host(append([]string{"__complete"}, c.args...)...)
		if status != exitOK {
			t.Errorf("%q: %d %s", c.args, status, stderr)
		}
		for _, want := range c.want {
			if !strings.Contains(stdout, want) {
				t.Errorf("%q: no %q in %q", c.args, want, stdout)
			}
		}
		if len(c.want) == 1 && strings.TrimSpace(stdout) != c.want[0] {
			t.Errorf("%q: %q, want %q alone", c.args, stdout, c.want[0])
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if stdout, stderr, status := host("completion", shell); status != exitOK || !strings.Contains(stdout, "__complete") {
			t.Errorf("%s: %d %s", shell, status, stderr)
		}
	}
	if _, stderr, status := host("completion", "tcsh"); status != exitUsage || !strings.Contains(stderr, `has no command "tcsh"`) || !strings.Contains(stderr, "hint: there are bash, fish, powershell, zsh") {
		t.Errorf("an unknown shell: %d %s", status, stderr)
	}
}

func TestTimesAndSizes(t *testing.T) {
	if got := size(int64(999)) + " " + size(int64(1000)) + " " + size(uint64(1<<63)); got != "999 B 1.0 kB 9223372.0 TB" {
		t.Error(got)
	}
	if got := count(1, "vote") + " " + count(0, "vote"); got != "1 vote 0 votes" {
		t.Error(got)
	}
	for text, seconds := range map[string]int{"0s": -5, "59s": 59, "1m 0s": 60, "1h 1m": 3661, "2d 3h": 2*86400 + 3*3600 + 59} {
		if got := span(time.Duration(seconds) * time.Second); got != text {
			t.Errorf("%d seconds are %s, want %s", seconds, got, text)
		}
	}
	var zero time.Time
	if ago(zero) != "never" {
		t.Error(ago(zero))
	}
}

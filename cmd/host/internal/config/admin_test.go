package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/discv5/host/cmd/host/internal/admin"
)

const token = "0123456789abcdef-token"

func TestAdmin(t *testing.T) {
	got, err := load(t, "data_dir = \"/d\"\n", nil)
	if err != nil {
		t.Fatal(err)
	}
	if a := got.Config.Admin; a != (Admin{ReadyGrace: 5 * time.Minute}) || got.Config.AdminSocket() != admin.SocketPath("/d") {
		t.Errorf("the defaults are %+v, socket %s", a, got.Config.AdminSocket())
	}
	got, err = load(t, "admin {\n  socket = \"none\"\n  listen = \"192.0.2.1:7000\"\n  token = \""+token+"\"\n  remote = true\n  ready_grace = \"90s\"\n}\n", nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Admin{Socket: NoSocket, Listen: netip.MustParseAddrPort("192.0.2.1:7000"), Token: token, Remote: true, ReadyGrace: 90 * time.Second}
	if a := got.Config.Admin; a != want || got.Config.AdminSocket() != "" || a.Token.Reveal() != token || len(got.Warnings) != 0 {
		t.Errorf("%+v, socket %q, warnings %q", a, got.Config.AdminSocket(), got.Warnings)
	}
	got, err = load(t, "admin {\n  socket = \"run/a.sock\"\n}\n", []string{"HOST_ADMIN__TOKEN=" + token, "HOST_ADMIN__REMOTE=true"})
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(filepath.Dir(got.Files[0]), "run", "a.sock"); got.Config.AdminSocket() != want {
		t.Errorf("socket %s, want %s", got.Config.AdminSocket(), want)
	}
	if len(got.Warnings) != 2 || !strings.Contains(got.Warnings[0], "HOST_ADMIN__REMOTE: admin.remote is for admin.listen") {
		t.Errorf("warnings %q", got.Warnings)
	}
}

func TestAdminMistakes(t *testing.T) {
	for _, c := range []struct{ name, inside, what, advice string }{
		{"no token", `listen = "127.0.0.1:7000"`, "admin.listen without admin.token", "openssl rand"},
		{"remote", "listen = \"0.0.0.0:7000\"\ntoken = \"" + token + "\"", "reached from other machines", "remote = true"},
		{"short token", `token = "hunter2"`, "a secret of 7 bytes, and 16 is the least", "openssl rand"},
		{"long token", `token = "` + strings.Repeat("hunter2", 200) + `"`, "1400 bytes, and 1024", "openssl rand"},
		{"token with a space", `token = "hunter2 hunter2 hunter2"`, "a space", "openssl rand"},
		{"token of another type", `token = ["hunter2"]`, "wrong type of admin.token", "text"},
		{"token twice", "token = \"" + token + "\"\ntoken = \"hunter2\"", "appears twice", "leave one out"},
		{"token in a call", `token = foo("hunter2")`, "no such function", "env("},
		{"token mistyped", `tokne = "hunter2"`, `unknown key "admin.tokne"`, `did you mean "token"?`},
		{"token not closed", `token = "hunter2`, "does not end on its line", "quote"},
		{"address", `listen = "7000"`, `"7000" is not ip:port`, "0.0.0.0:9000"},
		{"grace", `ready_grace = "0s"`, "out of range", "1s to 24h"},
	} {
		_, err := load(t, "admin {\n"+c.inside+"\n}\n", nil)
		ps, ok := errors.AsType[Problems](err)
		if !ok || len(ps) == 0 {
			t.Errorf("%s: %v, want a problem", c.name, err)
			continue
		}
		if !strings.Contains(ps.Error(), c.what) || !strings.Contains(ps[0].Hint, c.advice) {
			t.Errorf("%s: %q (hint %q)", c.name, ps, ps[0].Hint)
		}
		if text := fmt.Sprintf("%#v", ps); strings.Contains(text, "hunter2") {
			t.Errorf("%s: the token is shown in %s", c.name, text)
		}
	}
}

// No way to print a configuration shows a secret.
func TestSecretsDoNotShow(t *testing.T) {
	a := Admin{Token: token}
	object, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(a), fmt.Sprintf("%+v %#v %q %x %s %d", a, a, a.Token, a.Token, a.Token, a.Token), string(object)} {
		if strings.Contains(text, "0123456789") || strings.Contains(text, "30313233") || !strings.Contains(text, "(secret, 22 bytes)") {
			t.Errorf("shown as %s", text)
		}
	}
	if Secret("").String() != "" {
		t.Error("an empty secret is shown as one")
	}
}

// What file() returned appears in no mistake, wherever it was used.
func TestFilesDoNotShow(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "s"), []byte("hunter2:0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const plugin = "plugin \"filter\" \"a\" {\n  source = \"builtin:a\"\n  %s\n}\n"
	for _, text := range []string{
		`network = file("s")`, `network = "${file("s")}x"`, `listen = ["127.0.0.1:1", file("s")]`, `listen = file("s")`, `bans = ["1.2.3.0/${file("s")}"]`,
		`session_cache = file("s")`, `response_timeout = file("s")`, `protocol_id = file("s")`, `nat = file(file("s"))`, `nat = env(file("s"))`,
		`nat = env("UNSET", file("s"))`, `nat = true ? file("s") : "any"`, `listen = [for s in [file("s")]: s]`, `nat = file("s") == "a" ? "any" : 3`,
		fmt.Sprintf(plugin, `sha256 = file("s")`), fmt.Sprintf(plugin, `deadline = file("s")`), fmt.Sprintf(plugin, `on_error = file("s")`),
		fmt.Sprintf(plugin, `grants = [file("s")]`), fmt.Sprintf(plugin, `stages = ["table", file("s")]`), fmt.Sprintf(plugin, `env = { (file("s")) = 3 }`),
		fmt.Sprintf(plugin, `env = { "${file("s")}" = "x" }`), "plugin \"talk\" \"a\" {\n  source = \"builtin:${file(\"s\")}\"\n}\n",
		"plugin \"talk\" \"a\" {\n  source = \"builtin:a\"\n  protocols = [file(\"s\"), file(\"s\")]\n}\n", `data_dir = {}[file("s")]`, `data_dir = {a = 1}[file("s")]`,
		`data_dir = [1][file("s")]`, `listen = [for k, v in {a = 1}: file("s") ]`, `nat = { for k in [1, 2]: file("s") => k }`,
	} {
		file := filepath.Join(dir, "config.hcl")
		if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(t.Context(), Sources{Env: []string{"HOST_CONFIG=" + file}})
		ps, ok := errors.AsType[Problems](err)
		if !ok || !strings.Contains(ps[0].Where, file) || ps[0].Hint == "" {
			t.Errorf("%s: %+v", text, err)
		}
		if shown := fmt.Sprintf("%#v", ps); strings.Contains(shown, "hunter2") {
			t.Errorf("%s: what the file holds is shown in %s", text, shown)
		}
	}
}

func TestBans(t *testing.T) {
	id := strings.Repeat("a1", 32)
	got, err := load(t, fmt.Sprintf("bans = [%q, \"192.0.2.77/24\", \"2001:db8::1\"]\n", id), nil)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, b := range got.Config.Bans {
		texts = append(texts, b.String())
	}
	if want := []string{id, "192.0.2.0/24", "2001:db8::1"}; !slices.Equal(texts, want) {
		t.Errorf("%q, want %q", texts, want)
	}
	_, err = load(t, `bans = ["192.0.2.0/24", "0.0.0.0/0", "example.org", "10.0.0.0/99"]`, nil)
	ps, ok := errors.AsType[Problems](err)
	if !ok || len(ps) != 3 || !strings.Contains(ps[0].What, "everybody") || !strings.Contains(ps[1].Hint, "192.0.2.0/24") || !strings.Contains(ps[2].What, "not a range") {
		t.Errorf("%+v", err)
	}
}

// The profile is between the defaults and everything else, whoever asks for it.
func TestDevProfile(t *testing.T) {
	for name, ask := range map[string]struct {
		file string
		env  []string
		args []string
	}{
		"file": {file: "dev = true\nlog_level = \"warn\"\n"}, "variable": {env: []string{"HOST_DEV=true", "HOST_LOG_LEVEL=warn"}},
		"flag": {args: []string{"--dev", "--log-level", "warn"}}, "flag above file": {file: "dev = false\nlog_level = \"warn\"", args: []string{"--dev=true"}},
	} {
		got, err := load(t, ask.file, ask.env, ask.args...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		c := got.Config
		if !c.Dev || len(c.Listen) != 1 || c.Listen[0] != netip.MustParseAddrPort("127.0.0.1:0") || filepath.Base(c.DataDir) != ".discv5-host-dev" || c.LogLevel != "warn" || c.Network != "none" {
			t.Errorf("%s: %+v", name, c)
		}
		if got.Origins["listen"].Where != "profile dev" || got.Origins["log_level"].Where == "profile dev" || got.Origins["nat"].Where != "default" {
			t.Errorf("%s: %v", name, got.Origins)
		}
	}
	got, err := load(t, "dev = true", nil, "--dev=false")
	if err != nil || got.Config.Dev || got.Config.Listen[0].Port() != 9000 {
		t.Errorf("a flag switches it off: %+v, %v", got, err)
	}
}

// Of a line with what has the name of a secret, nothing behind the name is shown.
func TestWithoutSecrets(t *testing.T) {
	for line, want := range map[string]string{
		`  token = "hunter2"`: `  token = …`, `admin { token = "hunter2" }`: `admin { token = …`, `DB_PASSWORD = "hunter2", X = "y"`: `DB_PASSWORD = …`,
		`env = { "API_KEY" : "hunter2" }`: `env = { "API_KEY" : …`, `token = file("t")`: `token = file("t")`, `token = env("T") # x`: `token = env("T") # x`,
		`token = env("T", "hunter2")`: `token = …`, `token =`: `token =`, `key_file = "/k"`: `key_file = "/k"`, `nat = "any"`: `nat = "any"`,
		`Secret="hunter2`: `Secret=…`, `env = { TOKEN = env("T") }`: `env = { TOKEN = env("T") }`, `env = { TOKEN = env("T"), B = "hunter2" }`: `env = { TOKEN = …`,
	} {
		if got := withoutSecrets(line); got != want {
			t.Errorf("%s is shown as %s, want %s", line, got, want)
		}
	}
}

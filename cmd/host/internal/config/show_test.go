package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What is shown reads back as the same configuration.
func TestSettingsReadBack(t *testing.T) {
	got, err := load(t, `
listen = ["127.0.0.1:0", "[::1]:7"]
bootnodes = ["`+record(t, "203.0.113.1:9000")+`"]
advertise = ["203.0.113.7"]
bans = ["192.0.2.0/24"]
data_dir = "/d \"q\" ${"$"}{x}"
response_timeout = "1500ms"
admin {
  socket = "none"
  listen = "127.0.0.1:1"
  ready_grace = "1h30m"
}
`, []string{"HOST_ADMIN__TOKEN=" + token})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, s := range got.Settings() {
		switch block, key, nested := strings.Cut(s.Key, "."); {
		case s.Secret:
			if s.Text != "(secret, 22 bytes)" || s.Key != "admin.token" {
				t.Errorf("%+v", s)
			}
		case nested:
			b.WriteString("#" + block + "\n")
			_ = key
		default:
			b.WriteString(s.Key + " = " + s.Text + "\n")
		}
		if !json.Valid(s.Value) || strings.Contains(string(s.Value)+s.Text+s.Source, token) {
			t.Errorf("%+v", s)
		}
	}
	again, err := load(t, b.String(), []string{"HOST_ADMIN__TOKEN=" + token, "HOST_ADMIN__SOCKET=none", "HOST_ADMIN__LISTEN=127.0.0.1:1", "HOST_ADMIN__READY_GRACE=1h30m"})
	if err != nil {
		t.Fatalf("%v in\n%s", err, b.String())
	}
	if keys := got.Config.Changed(&again.Config); len(keys) != 0 {
		t.Errorf("%q read back as something else from\n%s", keys, b.String())
	}
	if n, all := len(got.Settings()), 0; true {
		top.walk(func(*leaf) { all++ })
		if n != all {
			t.Errorf("%d settings, want all %d", n, all)
		}
	}
}

func TestSettingsOfPlugins(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "s"), []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "config.hcl")
	if err := os.WriteFile(file, []byte(`plugin "store" "s" {
  source = "/bin/s"
  args   = ["--token", "hunter2", "--password=hunter2", file("s"), "plain"]
  env    = { A = file("s"), DB_TOKEN = "hunter2", B = "plain", C = "pg://u:hunter2@h/d" }
  config {
    url      = "redis://u:hunter2@h:1"
    password = "hunter2"
    secrets  = ["hunter2"]
    headers  = { Authorization = "x", api_key = "hunter2" }
    inline   = "x${file("s")}"
    depth    = 3.5
    words    = ["a", 2, true, null]
    lost     = env("LOST")
    peer {
      id = "a"
    }
    peer {
      id = "b"
    }
    cache {
      size = 18446744073709551616
    }
  }
}
plugin "talk" "t" {
  source    = "builtin:echo"
  enabled   = false
  protocols = ["a b", "0x00ff"]
}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Load(t.Context(), Sources{Env: []string{"HOST_CONFIG=" + file}})
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]Setting)
	for _, s := range got.Settings() {
		all[s.Key] = s
		if strings.Contains(s.Text+string(s.Value), "hunter2") {
			t.Errorf("shown: %+v", s)
		}
	}
	for key, want := range map[string]string{
		"plugin.store.s.source": `"/bin/s"`, "plugin.store.s.args": `["--token", "(secret, 7 bytes)", "(secret, 18 bytes)", "(secret, 7 bytes)", "plain"]`,
		"plugin.store.s.env.A": "(secret, 7 bytes)", "plugin.store.s.env.DB_TOKEN": "(secret, 7 bytes)", "plugin.store.s.env.B": `"plain"`,
		"plugin.store.s.env.C": "(secret, 18 bytes)", "plugin.store.s.config.url": "(secret, 21 bytes)", "plugin.store.s.config.password": "(secret, 7 bytes)",
		"plugin.store.s.config.secrets": "(secret)", "plugin.store.s.config.headers": "(secret)", "plugin.store.s.config.inline": "(secret, 8 bytes)",
		"plugin.store.s.config.depth": "3.5", "plugin.store.s.config.words": `["a", 2, true, null]`, "plugin.store.s.config.lost": "(a mistake, see host validate)",
		"plugin.store.s.config.peer[0].id": `"a"`, "plugin.store.s.config.peer[1].id": `"b"`, "plugin.store.s.config.cache.size": "18446744073709551616",
		"plugin.talk.t.enabled": "false", "plugin.talk.t.protocols": `["a b", "0x00ff"]`, "plugin.talk.t.env": "{}", "plugin.talk.t.deadline": `"300ms"`,
	} {
		if all[key].Text != want {
			t.Errorf("%s = %s, want %s", key, all[key].Text, want)
		}
	}
	if s := all["plugin.talk.t.enabled"]; s.Source != file+":27:3" {
		t.Errorf("%+v", s)
	}
	if s := all["plugin.talk.t.required"]; s.Source != "default" {
		t.Errorf("%+v", s)
	}
	if s := all["plugin.store.s.config.cache.size"]; s.Source != file+":21:7" {
		t.Errorf("%+v", s)
	}
	if ps := got.Plugins[0].Config.Mistakes(); len(ps) != 1 || !strings.Contains(ps[0].What, `"LOST" is not set`) || !strings.HasSuffix(ps[0].Where, ":13:16") {
		t.Errorf("%+v", ps)
	}
}

func TestDurationText(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", time.Minute: "1m", time.Hour: "1h", 90 * time.Minute: "1h30m", time.Hour + time.Second: "1h0m1s", 10 * time.Second: "10s", 300 * time.Millisecond: "300ms",
		20 * time.Minute: "20m", 100 * time.Hour: "100h",
	} {
		if got := durationText(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

// The reference has every key, once, and what it says of each can be read.
func TestReference(t *testing.T) {
	r := NewReference()
	i := 0
	top.walk(func(l *leaf) {
		k := r.Settings[i]
		i++
		if k.Key != l.path || k.Variable == "" || k.Doc == "" || k.Type == "unknown" || !json.Valid(k.Default) || k.Dev != nil && !json.Valid(k.Dev) {
			t.Errorf("%+v", k)
		}
		if k.Type == "whole number" || k.Type == "duration" {
			if k.Min == "" || k.Max == "" {
				t.Errorf("%s has no bounds", k.Key)
			}
		}
	})
	if i != len(r.Settings) {
		t.Errorf("%d settings, want %d", len(r.Settings), i)
	}
	for _, kind := range kinds {
		if len(r.Plugin[kind]) != len(pluginSchema(kind).names()) {
			t.Errorf("%s: %d keys", kind, len(r.Plugin[kind]))
		}
		for _, k := range r.Plugin[kind] {
			if k.Doc == "" || strings.HasSuffix(k.Doc, ".") || (k.Type != "block" && !k.Required && !json.Valid(k.Default)) || k.Type == "duration" && k.Min == "" {
				t.Errorf("%s: %+v", kind, k)
			}
		}
	}
	text, err := json.Marshal(r)
	if err != nil || !strings.Contains(string(text), `"variable":"HOST_TABLE__BUCKET_IP_LIMIT"`) {
		t.Errorf("%s, %v", text, err)
	}
}

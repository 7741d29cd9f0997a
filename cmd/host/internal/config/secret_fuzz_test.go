package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whatever expressions do with what file() returned: no mistake tells it, nor do the settings that are shown.
func FuzzSecrets(f *testing.F) {
	const secret = "hunter2-7f3a"
	dir := f.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "s"), []byte(secret), 0o600); err != nil {
		f.Fatal(err)
	}
	for _, value := range []string{
		`file("s")`, `"${file("s")}"`, `[file("s")]`, `{ a = file("s") }`, `{ (file("s")) = 1 }`, `{ "${file("s")}" = 1, "${file("s")}" = 2 }`, `file(file("s"))`, `env(file("s"))`,
		`{ for x in [file("s")]: x => x }`, `{ for x in [1, 2]: file("s") => x }`, `[for x in file("s"): x]`, `file("s").a`, `file("s")[0]`, `{a = 1}[file("s")]`, `[1][file("s")]`,
		`file("s") + 1`, `-file("s")`, `!file("s")`, `file("s") ? 1 : 2`, `true ? file("s") : [1]`, `file("s") == "a"`, `[file("s")].*.a`, `{ a = file("s") }.b`, `file("s")...`,
		`env(file("s")...)`, `file([file("s")]...)`, `"%{ if file("s") }x%{ endif }"`, `"%{ for x in file("s") }x%{ endfor }"`, "<<EOT\n${file(\"s\")}\nEOT\n",
	} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if strings.Contains(value, secret) {
			return
		}
		look := func(what any) {
			if text := fmt.Sprintf("%#v", what); strings.Contains(text, secret) {
				t.Fatalf("%q shows the secret: %s", value, text)
			}
		}
		for _, text := range []string{
			"nat = " + value, "listen = " + value, "session_cache = " + value, "auto_update = " + value, "bans = [" + value + "]", "admin {\n token = " + value + "\n}",
			"plugin \"filter\" \"a\" {\n source = " + value + "\n}", "plugin \"talk\" \"a\" {\n source = \"a\"\n protocols = " + value + "\n env = " + value + "\n deadline = " + value +
				"\n grants = " + value + "\n max_queue = " + value + "\n config {\n a = " + value + "\n b = " + value + "\n c = " + value + "\n}\n}",
		} {
			p := &parser{file: filepath.Join(dir, "f.hcl"), schema: top}
			values, err := p.Unmarshal([]byte(text + "\n"))
			if problems, ok := errors.AsType[Problems](err); ok {
				look(problems)
			}
			for _, plugin := range p.plugins {
				_, _, err := DecodeBody(plugin.Config, Schema{Attributes: []Attribute{{Name: "a", Type: Int}, {Name: "b", Type: StringMap}, {Name: "c", Type: Duration}}})
				look(err)
				look(plugin.Config.Mistakes())
				look(plugin.Config.Problem("a", 1, 2, "what", "advice"))
				look(plugin.Problem("source", plugin.Source+" is no program", "advice"))
				for _, s := range plugin.settings() {
					look(s.Text + string(s.Value))
				}
			}
			for _, key := range []string{"nat", "listen", "bans"} {
				if value, ok := values[key]; ok {
					s := newSetting(key, value, "", p.origins[key].Secret)
					look(s.Text + string(s.Value))
				}
			}
		}
	})
}

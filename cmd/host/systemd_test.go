package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/discv5/host/cmd/host/internal/config"
	"github.com/spf13/pflag"
)

const unit = "systemd/discv5-host.service"

var execStart = regexp.MustCompile(`(?m)^ExecStart=(\S+) run (.*)$`)

// The unit starts host run with flags that it has, and with variables that are settings.
func TestUnitStartsTheHost(t *testing.T) {
	text, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	start := execStart.FindStringSubmatch(string(text))
	if start == nil {
		t.Fatal("it does not start host run")
	}
	flags := pflag.NewFlagSet("run", pflag.ContinueOnError)
	config.Flags(flags)
	if err := flags.Parse(strings.Fields(start[2])); err != nil {
		t.Error(err)
	}
	var env []string
	for _, line := range regexp.MustCompile(`(?m)^Environment=(.*)$`).FindAllStringSubmatch(string(text), -1) {
		for _, pair := range strings.Fields(line[1]) {
			env = append(env, strings.NewReplacer("%S", "/var/lib", "%t", "/run").Replace(pair))
		}
	}
	loaded, err := config.Load(t.Context(), config.Sources{Env: env})
	if err != nil || len(loaded.Warnings) > 0 || loaded.Config.DataDir != "/var/lib/discv5-host" {
		t.Errorf("%v: %v, %+v", env, err, loaded)
	}
}

// A credential is read as the unit says.
func TestUnitCredential(t *testing.T) {
	text, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	setting := regexp.MustCompile(`(?m)^#   (token = .*)$`).FindStringSubmatch(string(text))
	if setting == nil || !strings.Contains(string(text), "LoadCredential=token:") {
		t.Fatal("it does not say how to pass a token")
	}
	dir := t.TempDir()
	const token = "0123456789abcdef0123456789abcdef"
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte(token+"\n"), 0o400); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "c.hcl")
	if err := os.WriteFile(file, []byte("admin {\n  listen = \"127.0.0.1:7000\"\n  "+setting[1]+"\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	loaded, err := config.Load(t.Context(), config.Sources{Env: []string{"HOST_CONFIG=" + file, "CREDENTIALS_DIRECTORY=" + dir}})
	if err != nil || loaded.Config.Admin.Token.Reveal() != token {
		t.Errorf("%s: %+v, %v", setting[1], loaded, err)
	}
}

// systemd itself has nothing to say against the unit.
func TestUnitIsUnderstood(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("no systemd-analyze here to check the unit with")
	}
	text, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable() // it looks whether the program is there
	if err != nil {
		t.Fatal(err)
	}
	start := execStart.FindStringSubmatch(string(text))
	copied := filepath.Join(t.TempDir(), filepath.Base(unit))
	if err := os.WriteFile(copied, []byte(strings.Replace(string(text), "="+start[1]+" ", "="+self+" ", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.Command(analyze, "verify", "--man=no", copied).CombinedOutput(); err != nil || len(said) > 0 {
		t.Errorf("%v\n%s", err, said)
	}
}

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/discv5/host/cmd/host/internal/config"
	"github.com/rogpeppe/go-internal/testscript"
)

const readme = root + "/README.md"

var (
	hclBlock   = regexp.MustCompile("(?s)```hcl\n(.*?)```")
	shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")
	linkTarget = regexp.MustCompile(`\]\(([^)#]+)[^)]*\)`)
)

// The commands of the README work as they stand there, but for this: records are real ones, the network is not a public
// one, ports are free ones, and what is only about the Go tool is not run. The configuration in it is the file plugins.hcl,
// whose plugins all come to run. A host that is run ends with the block that it stands in.
func TestReadmeCommands(t *testing.T) {
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	script := []string{
		"[!unix] skip 'this script sends Unix signals'",
		"start net dev --nodes 3",
		"await net stdout '^(enr:.*)$' ENR",
		"cp " + mustAbs(t, root+"/config.hcl") + " config.hcl",
	}
	blocks := hclBlock.FindAllStringSubmatch(string(text), -1)
	if len(blocks) != 1 {
		t.Fatalf("%d configurations in the README, want plugins.hcl alone", len(blocks))
	}
	snippet := filepath.Join(t.TempDir(), "plugins.hcl")
	if err := os.WriteFile(snippet, []byte(blocks[0][1]), 0o600); err != nil {
		t.Fatal(err)
	}
	script = append(script, "cp "+snippet+" plugins.hcl")
	loaded, err := config.Load(t.Context(), config.Sources{Env: []string{"HOST_CONFIG=" + snippet}})
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, block := range shellBlock.FindAllStringSubmatch(string(text), -1) {
		running := false
		for line := range strings.Lines(block[1]) {
			command, _, _ := strings.Cut(strings.TrimSpace(line), "#")
			command = strings.Replace(command, "go run ./cmd/host", "host", 1)
			command = strings.ReplaceAll(command, "enr:…", "$ENR")
			command = strings.ReplaceAll(command, "--network mainnet", "--network none")
			words := strings.Fields(command)
			switch {
			case len(words) == 0 || words[0] == "go":
				continue
			case words[0] != "host" || len(words) < 2:
				t.Errorf("README: %q is neither go nor host", command)
				continue
			}
			ran++
			args := strings.Join(words[1:], " ")
			switch words[1] {
			case "run":
				running = true
				script = append(script, "start node "+args+" --listen 127.0.0.1:0", "await node stdout '^enr:'")
				if strings.Contains(args, "plugins.hcl") {
					for _, p := range loaded.Plugins {
						script = append(script, "await node stderr 'plugin="+p.Kind+"."+p.Name+".*running'")
					}
				}
			case "dev":
				script = append(script, "start other "+args, "await other stdout '^Ctrl-C stops'", "end other INT")
			default:
				script = append(script, "exec host "+args)
			}
		}
		if running {
			script = append(script, "end node TERM")
		}
	}
	if ran < 6 {
		t.Fatalf("only %d commands were found in the README", ran)
	}
	file := filepath.Join(t.TempDir(), "readme.txtar")
	if err := os.WriteFile(file, []byte(strings.Join(append(script, "end net TERM", ""), "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, scripts(testscript.Params{Files: []string{file}}))
}

// What the README points to in this repository exists.
func TestReadmeLinks(t *testing.T) {
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, m := range linkTarget.FindAllStringSubmatch(string(text), -1) {
		if strings.Contains(m[1], "://") {
			continue
		}
		found++
		if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(m[1]))); err != nil {
			t.Errorf("README points to %s: %v", m[1], err)
		}
	}
	if found == 0 {
		t.Error("the README points to nothing")
	}
}

func mustAbs(t *testing.T, name string) string {
	t.Helper()
	abs, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

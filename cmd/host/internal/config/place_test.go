package config

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/pflag"
)

// Where a host is can be read of a configuration with mistakes elsewhere, and never of one that may mean another host.
func TestLoadPlace(t *testing.T) {
	for name, c := range map[string]struct {
		text     string
		flags    []string
		dir      string // "": Problems
		mistakes int
	}{
		"right":               {`data_dir = "/d"`, nil, "/d", 0},
		"elsewhere":           {"data_dir = \"/d\"\nlog_level = \"loud\"\nplugin \"talc\" \"x\" {}", nil, "/d", 2},
		"syntax":              {"data_dir = \"/d\"\nlisten = [", nil, "/d", 1},
		"in another block":    {"data_dir = \"/d\"\nlimits {\n  sesion_rate = 1\n}", nil, "/d", 1},
		"by a flag":           {`log_level = "loud"`, []string{"--data-dir", "/e"}, "/e", 1},
		"two settings":        {"data_dir = \"/d\"\nnat = \"any\"\nadvertise = [\"192.0.2.1\"]", nil, "/d", 0},
		"nobody says where":   {`log_level = "loud"`, nil, "", 0},
		"a mistyped key":      {`data_dri = "/d"`, nil, "", 0},
		"the folder":          {"data_dir = 3\nadmin {\n  socket = \"/s\"\n}", nil, "", 0},
		"the admin block":     {"data_dir = \"/d\"\nadmin {\n  sockt = \"/s\"\n}", nil, "", 0},
		"on the flags":        {`data_dir = "/d"`, []string{"--log-level", "loud"}, "", 0},
		"a mistyped variable": {`data_dir = "/d"`, []string{"HOST_DATA_DRI=/e"}, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "c.hcl")
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			flags := pflag.NewFlagSet("run", pflag.ContinueOnError)
			Flags(flags)
			src := Sources{Flags: flags}
			args := []string{"--config", file}
			for _, a := range c.flags {
				if a[0] == 'H' {
					src.Env = append(src.Env, a)
				} else {
					args = append(args, a)
				}
			}
			if err := flags.Parse(args); err != nil {
				t.Fatal(err)
			}
			loaded, mistakes, err := LoadPlace(t.Context(), src)
			if c.dir == "" {
				if _, ok := errors.AsType[Problems](err); !ok {
					t.Errorf("%+v, %v", loaded, err)
				}
				return
			}
			if err != nil || loaded.Config.DataDir != c.dir || mistakes != c.mistakes {
				t.Errorf("%+v, %d mistakes, %v, want %s and %d", loaded, mistakes, err, c.dir, c.mistakes)
			}
		})
	}
}

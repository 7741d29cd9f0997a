package scaffold

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

const hostModule = "github.com/discv5/host"

// module adds go.mod, and go.sum when the host's is at hand: a plugin that is built with a checkout needs the same modules at the
// same versions, and needs not ask anybody for them.
func module(files map[string][]byte, v values) error {
	m := new(modfile.File)
	if err := m.AddModuleStmt("example.com/" + v.Name); err != nil {
		return err
	}
	if v.Replace == "" {
		if err := m.AddGoStmt("1.26.0"); err != nil {
			return err
		}
		return finish(files, m, version())
	}
	text, err := os.ReadFile(filepath.Join(v.Replace, "go.mod"))
	if err != nil {
		return fmt.Errorf("%s is no checkout of %s: %w", v.Replace, hostModule, err)
	}
	host, err := modfile.Parse(filepath.Join(v.Replace, "go.mod"), text, nil)
	if err != nil {
		return err
	}
	if host.Module == nil || host.Module.Mod.Path != hostModule || host.Go == nil {
		return fmt.Errorf("%s is no checkout of %s", v.Replace, hostModule)
	}
	if err := m.AddGoStmt(host.Go.Version); err != nil {
		return err
	}
	for _, r := range host.Require {
		m.AddNewRequire(r.Mod.Path, r.Mod.Version, true)
	}
	if err := m.AddReplace(hostModule, "", v.Replace, ""); err != nil {
		return err
	}
	if files["go.sum"], err = os.ReadFile(filepath.Join(v.Replace, "go.sum")); err != nil {
		return err
	}
	return finish(files, m, "v0.0.0")
}

// finish requires the host and writes go.mod.
func finish(files map[string][]byte, m *modfile.File, version string) error {
	m.AddNewRequire(hostModule, version, false)
	m.SortBlocks()
	m.Cleanup()
	content, err := m.Format()
	files["go.mod"] = content
	return err
}

// version is that of this program, if it was released: plugins are built with the same. Otherwise it is whatever is the latest when
// the author runs go mod tidy.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Path == hostModule {
		v, _, _ := strings.Cut(info.Main.Version, "+")
		if semver.IsValid(v) && semver.Canonical(v) == v {
			return v
		}
	}
	return "latest"
}

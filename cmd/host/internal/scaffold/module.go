package scaffold

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"

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

// latest is the version that is the newest when the author runs go mod tidy.
const latest = "latest"

// Released tells whether this program was built from a published version of its module, with which plugins are built too.
func Released() bool { return version() != latest }

// version is that of this program, if it was released, and otherwise latest.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return latest
	}
	return versionOf(&info.Main)
}

// versionOf is the version of a main module. One that was built from a checkout has a version too, made from the commit, and no sum.
func versionOf(m *debug.Module) string {
	if m.Path == hostModule && m.Sum != "" && semver.IsValid(m.Version) && semver.Canonical(m.Version) == m.Version {
		return m.Version
	}
	return latest
}

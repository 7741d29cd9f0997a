package process

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

const (
	ownerFile   = "host"    // whose directory it is
	processFile = "process" // whom it was made for
	recordMagic = "discv5-plugin "
	// maxNameInPath bounds what a long name takes of the few bytes that the path of a socket may have.
	maxNameInPath = 24
)

// maxSocketPath is the longest path of a unix socket, in bytes: sun_path with its final zero has 108 on Linux and 104 on
// the BSDs.
func maxSocketPath() int {
	if runtime.GOOS == "linux" {
		return 107
	}
	return 103
}

// makeRunDir makes the directory of one incarnation, which nobody else may enter.
func makeRunDir(spec Spec) (string, error) {
	fail := func(detail, hint string) (string, error) {
		return "", &StartError{Kind: ErrRunDir, Path: spec.Path, Detail: detail, Hint: hint}
	}
	if spec.Name == "" || strings.ContainsFunc(spec.Name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' && r != '-' && r != '.'
	}) || spec.Name[0] == '.' {
		return fail(fmt.Sprintf("%q cannot be part of its name", spec.Name), "")
	}
	root, err := filepath.Abs(spec.RunDir)
	if err != nil || spec.RunDir == "" {
		return fail(fmt.Sprintf("%q", spec.RunDir), "name a directory")
	}
	dir, err := os.MkdirTemp(root, spec.Name[:min(len(spec.Name), maxNameInPath)]+"-")
	if err != nil {
		return fail(err.Error(), "the directory must exist, and this user must be able to write there")
	}
	if longest := len(dir) + len("/plugin4294967295"); longest > maxSocketPath() && runtime.GOOS != "windows" {
		os.Remove(dir)
		return fail(fmt.Sprintf("a socket in %s would have a path of %d bytes, and %d is the most", dir, longest, maxSocketPath()), "choose a shorter run directory, such as one below /run")
	}
	if err := writeRecord(dir, ownerFile, os.Getpid()); err != nil {
		os.RemoveAll(dir)
		return fail(err.Error(), "")
	}
	return dir, nil
}

// writeRecord notes which process a directory belongs to, so that it can be told from a later one of the same number.
func writeRecord(dir, name string, pid int) error {
	who, ok := identify(pid)
	if !ok {
		return fmt.Errorf("process %d is not there", pid)
	}
	return os.WriteFile(filepath.Join(dir, name), []byte(recordMagic+who+"\n"), 0o600)
}

// readRecord returns what writeRecord wrote.
func readRecord(dir, name string) (who string, ok bool) {
	info, err := os.Lstat(filepath.Join(dir, name))
	if err != nil || !info.Mode().IsRegular() || info.Size() > 256 {
		return "", false
	}
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return "", false
	}
	return strings.CutPrefix(strings.TrimSuffix(string(b), "\n"), recordMagic)
}

// recorded returns the number of the process that a record names, if that very process runs.
func recorded(who string) (pid int, running bool) {
	if _, err := fmt.Sscanf(who, "%d", &pid); err != nil || pid <= 1 {
		return 0, false
	}
	now, ok := identify(pid)
	return pid, ok && now == who
}

package config

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/cmd/host/internal/plainfile"
	"github.com/spf13/pflag"
)

// Bounds of configuration files.
const (
	maxFileSize = 256 << 10
	maxFiles    = 256
	maxEntries  = 4096 // of a folder, whatever they are
)

// fileSuffix is what files of a folder end in to be read.
const fileSuffix = ".hcl"

// given is a path as it was given, and who gave it.
type given struct {
	path    string
	where   string // "flag --config" or "environment variable HOST_CONFIG"
	onFlags bool
}

// source is one file to read.
type source struct {
	path   string // as the operator wrote it, or in the folder that the operator wrote
	folder string // the folder it was found in, "" when the file itself was given
}

// given returns the paths of files and folders. Flags replace what the variable says.
func (s Sources) given() (all []given, problems Problems) {
	if s.Flags != nil {
		if list, ok := valueOf(s.Flags, configFlag).(pflag.SliceValue); ok {
			for _, path := range list.GetSlice() {
				all = append(all, given{path, "flag --" + configFlag, true})
			}
			if slices.Contains(list.GetSlice(), "") {
				problems = append(problems, Problem{Where: "flag --" + configFlag, What: "the path is empty", Hint: "give it a file or a folder, or leave the flag out", OnFlags: true})
			}
			return all, problems
		}
	}
	for _, pair := range s.Env {
		if list, ok := strings.CutPrefix(pair, envFile+"="); ok {
			all = nil // the last one counts
			for _, path := range filepath.SplitList(list) {
				if path != "" {
					all = append(all, given{path, "environment variable " + envFile, false})
				}
			}
		}
	}
	return all, nil
}

// valueOf is the value of a flag that was given, nil when it was not.
func valueOf(fs *pflag.FlagSet, name string) pflag.Value {
	if f := fs.Lookup(name); f != nil && f.Changed {
		return f.Value
	}
	return nil
}

// sources returns the files to read, in order. A file that was given twice is a problem.
func (s Sources) sources() (all []source, problems Problems, err error) {
	paths, problems := s.given()
	if len(problems) > 0 {
		return nil, problems, nil
	}
	var infos []fs.FileInfo
	for _, g := range paths {
		found := []source{{path: g.path}}
		if info, statErr := os.Stat(g.path); statErr == nil && info.IsDir() {
			if found, err = inFolder(g.path); err != nil {
				return nil, nil, err
			}
		}
		for _, f := range found {
			info, statErr := os.Stat(f.path) // what cannot be looked at is told of when it is read
			if statErr == nil && f.path != os.DevNull {
				if slices.ContainsFunc(infos, func(other fs.FileInfo) bool { return os.SameFile(info, other) }) {
					problems = append(problems, Problem{Where: g.where, What: f.path + " is given twice", Hint: "leave one out; a folder stands for all files in it", OnFlags: g.onFlags})
					continue
				}
				infos = append(infos, info)
			}
			if all = append(all, f); len(all) > maxFiles {
				return nil, nil, hint.New(fmt.Sprintf("read the configuration: more than %d files", maxFiles), "put several together")
			}
		}
	}
	return all, problems, nil
}

// inFolder returns the files of a folder whose name ends in .hcl, sorted by name, without hidden ones and the backups of editors.
func inFolder(folder string) ([]source, error) {
	dir, err := os.Open(folder)
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("read the configuration: %w", err), "check the path given with --config or "+envFile)
	}
	defer dir.Close()
	entries, err := dir.ReadDir(maxEntries + 1)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return nil, hint.Wrap(fmt.Errorf("read the configuration: %w", err), "check the path given with --config or "+envFile)
	case len(entries) > maxEntries:
		return nil, hint.New(fmt.Sprintf("read the configuration: more than %d entries in %s", maxEntries, folder), "give a folder for configuration alone")
	}
	var all []source
	for _, e := range entries {
		name := e.Name()
		if filepath.Ext(name) == fileSuffix && !strings.ContainsAny(name[:1], ".#~") && !e.IsDir() {
			all = append(all, source{path: filepath.Join(folder, name), folder: folder})
		}
	}
	if len(all) == 0 {
		return nil, hint.New(fmt.Sprintf("read the configuration: the folder %s has no file *%s", folder, fileSuffix),
			"put one there, or give another path; hidden files and those of folders in it are not read")
	}
	slices.SortFunc(all, func(a, b source) int { return strings.Compare(a.path, b.path) })
	return all, nil
}

// fileProvider is a koanf.Provider of a file's bytes. koanf's interface has no room for the context.
type fileProvider struct {
	ctx  context.Context
	path string

	pipe bool // what was read came through a pipe
}

func (f *fileProvider) Read() (map[string]any, error) { return nil, errors.ErrUnsupported }

func (f *fileProvider) ReadBytes() ([]byte, error) {
	if f.path == os.DevNull { // an empty file, for those who want to be sure that there is none
		return nil, nil
	}
	data, mode, err := plainfile.ReadGiven(f.ctx, f.path, maxFileSize)
	if err != nil {
		advice := "check the path given with --config or " + envFile
		switch {
		case errors.Is(err, plainfile.ErrNotRegular):
			advice = plainfile.GivenHelp
		case errors.Is(err, plainfile.ErrTooLarge):
			advice = "is this the right file? Several files of a folder may be as large each"
		case errors.Is(err, fs.ErrPermission):
			advice = "this user must be able to read it"
		case errors.Is(err, context.Canceled):
			advice = "host was told to stop before all was there; what writes to the pipe must close it"
		}
		return nil, hint.Wrap(fmt.Errorf("read the configuration: %w", err), advice)
	}
	f.pipe = mode&fs.ModeNamedPipe != 0
	return data, nil
}

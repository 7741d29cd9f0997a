package process

import (
	"errors"
	"fmt"
	"strings"
)

// Why a plugin did not start.
var (
	ErrNotFound      = errors.New("the program does not exist")
	ErrDirectory     = errors.New("the path is a directory")
	ErrNotExecutable = errors.New("the program is not executable")
	ErrArchitecture  = errors.New("this machine cannot run the program")
	ErrChecksum      = errors.New("the program's SHA-256 is not the pinned one")
	ErrScript        = errors.New("a script cannot be pinned")
	ErrRunDir        = errors.New("the run directory cannot be used")
	ErrEnded         = errors.New("the program ended before it said where it listens")
	ErrSilent        = errors.New("the program did not say in time where it listens")
	ErrNotPlugin     = errors.New("the program is not a plugin of this host")
	ErrVersion       = errors.New("the plugin speaks another protocol version")
	ErrConnect       = errors.New("the plugin cannot be reached where it says that it listens")
	ErrExec          = errors.New("the program cannot be executed")
)

// StartError is why a plugin did not start. It wraps one of the errors above, or that of the caller's context.
type StartError struct {
	Kind   error
	Path   string
	Detail string   // what exactly; may be empty
	Hint   string   // what to do about it; may be empty
	Last   []string // the last lines that it wrote
}

// Error says what failed. It is one line; the hint and the last lines are not in it.
func (e *StartError) Error() string {
	s := fmt.Sprintf("%q: %v", e.Path, e.Kind)
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if len(e.Last) > 0 {
		s += fmt.Sprintf("; it last said %q", LastWords(e.Last))
	}
	return s
}

// LastWords returns what of a plugin's last lines says most: where a Go program panics that is not the last one. It leaves out
// stacks.
func LastWords(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	last := lines[len(lines)-1]
	for _, l := range lines {
		if panics(l) {
			last = l
			break
		}
	}
	last, _, _ = strings.Cut(last, " stack=")
	return strings.TrimSpace(last)
}

// panics tells whether a line is the first one of a panic of a Go program.
func panics(line string) bool {
	return strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ")
}

// Unwrap returns the Kind.
func (e *StartError) Unwrap() error { return e.Kind }

// Refused says that the same program would fail the same way again.
func (e *StartError) Refused() bool {
	for _, kind := range []error{ErrDirectory, ErrNotExecutable, ErrArchitecture, ErrChecksum, ErrScript, ErrNotPlugin, ErrVersion} {
		if errors.Is(e.Kind, kind) {
			return true
		}
	}
	return false
}

// ExitError is how a process ended.
type ExitError struct {
	Status  string // "exit status 3", "signal: killed"
	Stopped bool   // Stop ended it
	Killed  bool   // Stop had to kill it
}

// Error says how the process ended.
func (e *ExitError) Error() string {
	switch {
	case e.Killed:
		return "killed by the host (" + e.Status + ")"
	case e.Stopped:
		return "stopped by the host (" + e.Status + ")"
	}
	return "the plugin ended (" + e.Status + ")"
}

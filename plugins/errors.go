package plugins

import (
	"errors"
	"fmt"
	"strings"

	"github.com/discv5/host/plugins/internal/process"
)

// Errors of commands. Compare with errors.Is.
var (
	// ErrClosed says that the set is closed, or was never run.
	ErrClosed = errors.New("plugins: closed")
	// ErrUnknown says that there is no such plugin.
	ErrUnknown = errors.New("plugins: no such plugin")
	// ErrRestart says that a change needs a restart of the host.
	ErrRestart = errors.New("plugins: this change needs a restart of the host")
	// ErrUnavailable says that a plugin does not serve at present.
	ErrUnavailable = errors.New("plugins: the plugin does not serve")
	// ErrNoMethod says that no plugin serves a method.
	ErrNoMethod = errors.New("plugins: no such method")
	// ErrBusy says that too many calls of a plugin's methods are open.
	ErrBusy = errors.New("plugins: the plugin is busy")
)

// ConflictError says that two plugins want to serve the same TALK protocol.
type ConflictError struct{ Protocol, First, Second string }

// Error names both.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("plugins: protocol %q is served by %s, and cannot be served by %s too", e.Protocol, e.First, e.Second)
}

// MissingGrantsError says that a plugin cannot work with what it is granted.
type MissingGrantsError struct{ Grants []string }

// Error names the missing grants.
func (e *MissingGrantsError) Error() string {
	return "it needs grants that it does not have: " + strings.Join(e.Grants, ", ")
}

// BlockError says what went wrong with one block of a Reload.
type BlockError struct {
	ID  string // of the block: "talk.echo"
	Err error
}

// Error says it without the id, which Err mostly has.
func (e *BlockError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *BlockError) Unwrap() error { return e.Err }

// inBlock says which block an error is about; nil stays nil.
func inBlock(id string, err error) error {
	if err == nil {
		return nil
	}
	return &BlockError{id, err}
}

// refusal is a reason not to try again.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }
func (refusal) Refused() bool   { return true }

func refuse(format string, args ...any) error { return refusal{fmt.Errorf(format, args...)} }

// lastLines are the last lines of a program that did not start.
func lastLines(err error) []string {
	var start *process.StartError
	if errors.As(err, &start) {
		return start.Last
	}
	return nil
}

// Hint says what to do about a plugin that did not start; it may be empty.
func Hint(err error) string {
	var start *process.StartError
	var grants *MissingGrantsError
	var conflict *ConflictError
	switch {
	case errors.As(err, &start):
		return start.Hint
	case errors.As(err, &grants):
		return "if you trust it with that, add them to grants in its block"
	case errors.As(err, &conflict):
		return "name the protocols of one of them in its block"
	}
	return ""
}

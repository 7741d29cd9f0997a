package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/discv5/host/cmd/host/internal/config"
	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/spf13/cobra"
)

// usageError marks a command line that cannot be understood.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

// usage marks err as a mistake in the use of cmd. Without a hint of its own it gets one.
func usage(cmd *cobra.Command, err error) error {
	if hint.Of(err) == "" {
		err = hint.Wrap(err, cmd.CommandPath()+" --help shows how to use it")
	}
	return usageError{err}
}

func unknownCommand(cmd *cobra.Command, name string) error {
	err := fmt.Errorf("%s has no command %q", cmd.CommandPath(), name)
	if cmd.SuggestionsMinimumDistance <= 0 {
		cmd.SuggestionsMinimumDistance = 2
	}
	if near := cmd.SuggestionsFor(name); len(near) > 0 {
		err = hint.Wrap(err, fmt.Sprintf("did you mean %s %s?", cmd.CommandPath(), near[0]))
	}
	return usage(cmd, err)
}

// report prints err for people and returns the exit status.
func report(w io.Writer, err error) int {
	if err == nil {
		return exitOK
	}
	if problems, ok := errors.AsType[config.Problems](err); ok {
		for _, p := range problems {
			explain(w, p.Error(), p.Source, p.Hint)
		}
		if problems.OnFlags() {
			return exitUsage
		}
		return exitFailure
	}
	explain(w, err.Error(), "", hint.Of(err))
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	return exitFailure
}

func explain(w io.Writer, what, source, advice string) {
	fmt.Fprintf(w, "host: %s\n", what)
	if source != "" {
		fmt.Fprintln(w, source)
	}
	if advice != "" {
		fmt.Fprintf(w, "hint: %s\n", advice)
	}
}

// row is one line of a result: a name and its value.
type row struct{ name, value string }

// printRows prints rows with the values below each other. A row without a name is an empty line.
func printRows(w io.Writer, rows []row) error {
	width := 0
	for _, r := range rows {
		width = max(width, len(r.name))
	}
	var b strings.Builder
	for _, r := range rows {
		if r.name != "" {
			fmt.Fprintf(&b, "%-*s  %s", width, r.name, r.value)
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// printJSON prints v as one indented JSON value.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/discv5/host/cmd/host/internal/config"
	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
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

// wantedByFlag is what the values of a flag look like, by its type in pflag.
var wantedByFlag = map[string][2]string{
	"int":      {"a whole number", "write digits alone"},
	"bool":     {"true or false", "write the flag without a value, or with =true or =false"},
	"duration": {"a duration", "write a number with a unit, like " + (5 * time.Second).String()},
}

// flagError is usage for what pflag says of a flag, in words of our own.
func flagError(cmd *cobra.Command, err error) error {
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok && hint.Of(err) == "" {
		switch short := unknown.GetSpecifiedShortnames(); {
		case short != "" && short[0] >= '0' && short[0] <= '9':
			err = hint.New(fmt.Sprintf("-%s is below zero", short), "nothing here takes a number below zero")
		case unknown.GetSpecifiedName() == "version":
			err = hint.Wrap(err, "host version prints it")
		}
	}
	if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		if wanted, ok := wantedByFlag[invalid.GetFlag().Value.Type()]; ok {
			err = hint.New(fmt.Sprintf("--%s %q is not %s", invalid.GetFlag().Name, invalid.GetValue(), wanted[0]), wanted[1])
		}
	}
	return usage(cmd, err)
}

func unknownCommand(cmd *cobra.Command, name string) error {
	err := fmt.Errorf("%s has no command %q", cmd.CommandPath(), name)
	if cmd.SuggestionsMinimumDistance <= 0 {
		cmd.SuggestionsMinimumDistance = 2
	}
	if near := cmd.SuggestionsFor(name); cmd.DisableSuggestions {
		var names []string
		for _, sub := range cmd.Commands() {
			names = append(names, sub.Name())
		}
		err = hint.Wrap(err, "there are "+strings.Join(names, ", "))
	} else if len(near) > 0 {
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
	fmt.Fprintf(w, "host: %s\n", plain(what))
	if source != "" {
		fmt.Fprintln(w, source)
	}
	if advice != "" {
		fmt.Fprintf(w, "hint: %s\n", plain(advice))
	}
}

// plain makes one line of text that a terminal only shows: several errors are joined by semicolons, and characters that it
// would obey, which an argument or a file may hold, are written as their escapes.
func plain(text string) string {
	var b strings.Builder
	for _, r := range strings.ReplaceAll(text, "\n", "; ") {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}
	return b.String()
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
			fmt.Fprintf(&b, "%-*s  %s", width, plain(r.name), plain(r.value))
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// printJSON prints v as one indented JSON value.
func printJSON(w io.Writer, v any) error { return writeJSON(w, v, "  ") }

// printLine prints v as JSON in one line.
func printLine(w io.Writer, v any) error { return writeJSON(w, v, "") }

// writeJSON writes JSON that a terminal only shows: characters that it would obey are written as their escapes, which mean the same.
func writeJSON(w io.Writer, v any, indent string) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetIndent("", indent)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	var b strings.Builder
	for _, r := range text.String() {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

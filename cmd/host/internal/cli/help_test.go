package cli

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/discv5/host/sdk/expr"
	"github.com/spf13/cobra"
)

// every calls f with all commands.
func every(cmd *cobra.Command, f func(*cobra.Command)) {
	f(cmd)
	for _, sub := range cmd.Commands() {
		every(sub, f)
	}
}

// Helps are made of sentences, and titles of lists are not.
func TestHelpTexts(t *testing.T) {
	every(newRoot(), func(cmd *cobra.Command) {
		if !strings.HasSuffix(cmd.Long, ".") || strings.HasSuffix(cmd.Long, "..") {
			t.Errorf("%s: its help ends with %q", cmd.CommandPath(), cmd.Long[max(0, len(cmd.Long)-40):])
		}
		if strings.HasSuffix(cmd.Short, ".") || cmd.Short == "" {
			t.Errorf("%s: %q in a list", cmd.CommandPath(), cmd.Short)
		}
	})
}

// word is a word of a command line, in quotes or not.
var word = regexp.MustCompile(`'[^']*'|"[^"]*"|\S+`)

// The examples of a help are commands that there are, with flags that they have and as many arguments as they take, and what is an expression in them
// can be compiled.
func TestExamples(t *testing.T) {
	found := 0
	every(newRoot(), func(about *cobra.Command) {
		for line := range strings.Lines(about.Example) {
			for part := range strings.SplitSeq(line, " | ") {
				part = strings.TrimSpace(part)
				if _, inner, ok := strings.Cut(part, "<("); ok {
					part = strings.TrimSuffix(inner, ")")
				}
				if !strings.HasPrefix(part, "host ") {
					continue
				}
				found++
				if err := understood(part); err != nil {
					t.Errorf("%s --help: %s: %v", about.CommandPath(), part, err)
				}
			}
		}
	})
	if found < 60 {
		t.Errorf("only %d examples were found", found)
	}
}

func understood(line string) error {
	var words []string
	for _, w := range word.FindAllString(line, -1) {
		if strings.HasPrefix(w, ">") || w == "<" {
			break // for the shell
		}
		words = append(words, strings.Trim(w, `'"`))
	}
	cmd, rest, err := newRoot().Find(words[1:])
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	for _, name := range []string{"filter", "expr"} {
		if f := cmd.Flags().Lookup(name); f != nil && f.Changed {
			if _, err := expr.Compile(f.Value.String()); err != nil {
				return err
			}
		}
	}
	if cmd.Args == nil || strings.HasSuffix(cmd.Use, groupArgument) {
		return errors.New("that is no command")
	}
	return cmd.Args(cmd, cmd.Flags().Args())
}

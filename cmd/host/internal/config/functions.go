package config

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/cmd/host/internal/plainfile"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// maxIncluded is the most bytes that file() reads.
const maxIncluded = 1 << 20

const functionsHelp = `there are env("NAME"), env("NAME", "default") and file("path")`

// functions are what expressions of a file may call. env holds NAME=value, as os.Environ returns it.
//
//	env("NAME")             the variable; it must be set
//	env("NAME", "default")  the variable, or the default when it is not set
//	file("path")            the file's text without one newline at its end; a path starts at the folder of the configuration
//
// What file returns is tagged, and appears in no output.
func functions(doc *document, env []string) *hcl.EvalContext {
	variables := make(map[string]string, len(env))
	for _, pair := range env {
		if name, value, ok := strings.Cut(pair, "="); ok {
			variables[name] = value
		}
	}
	text := func(name string) function.Parameter {
		return function.Parameter{Name: name, Type: cty.String, AllowMarked: true}
	}
	fallback := text("default")
	return &hcl.EvalContext{Functions: map[string]function.Function{
		"env": function.New(&function.Spec{
			Params: []function.Parameter{text("name")}, VarParam: &fallback, Type: function.StaticReturnType(cty.String),
			Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
				given, hidden := reveal(args[0])
				name := given.AsString()
				value, set := variables[name]
				switch {
				case len(args) > 2:
					return cty.NilVal, errors.New("more than a name and a default")
				case set:
					return cty.StringVal(value).WithSameMarks(args[0]), nil
				case len(args) == 2:
					return args[1], nil
				case hidden:
					return cty.NilVal, hint.New("the variable is not set whose name file() read", hiddenAdvice)
				}
				return cty.NilVal, hint.New(fmt.Sprintf("the variable %q is not set", name), fmt.Sprintf("set it, or give a default: env(%q, \"…\")", name))
			},
		}),
		"file": function.New(&function.Spec{
			Params: []function.Parameter{text("path")}, Type: function.StaticReturnType(cty.String),
			Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
				given, hidden := reveal(args[0])
				path := given.AsString()
				data, err := plainfile.Read(expandHome(doc.relative(path)), maxIncluded)
				switch {
				case err != nil && hidden:
					return cty.NilVal, hint.New("the file cannot be read whose path file() read", hiddenAdvice)
				case err != nil:
					return cty.NilVal, hint.Wrap(err, "a path starts at the folder of the configuration file")
				case !utf8.Valid(data):
					return cty.NilVal, hint.New(fmt.Sprintf("%s is not text", shownPath(path, hidden)), "the file must be UTF-8")
				}
				line := strings.TrimSuffix(string(data), "\n")
				if len(line) < len(data) {
					line = strings.TrimSuffix(line, "\r")
				}
				return cty.StringVal(line).Mark(fromFile), nil
			},
		}),
	}}
}

// shownPath is a path as a message shows it.
func shownPath(path string, hidden bool) string {
	if hidden {
		return "the file"
	}
	return path
}

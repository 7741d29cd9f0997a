package cli

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/discv5/host/cmd/host/internal/admin"
)

// Every method that the API names in what it says has a command in what people read, and each of these commands exists.
func TestMethodsAsCommands(t *testing.T) {
	files, err := filepath.Glob("../admin/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	found := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if pair, ok := n.(*ast.KeyValueExpr); ok {
				if key, ok := pair.Key.(*ast.Ident); ok && key.Name == "summary" {
					return false
				}
			}
			literal, ok := n.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				return true
			}
			said, err := strconv.Unquote(literal.Value)
			if err != nil || !strings.Contains(said, " ") || !methodName.MatchString(said) {
				return true
			}
			found++
			if left := methodName.FindString(inCommands(said)); left != "" && left != "host_methods" { // only who calls methods is told of those
				t.Errorf("%s: %q names %s, which is no command", name, said, left)
			}
			return true
		})
	}
	if found < 5 {
		t.Errorf("only %d texts name a method", found)
	}
	methods := admin.MethodNames()
	for method, command := range commandOf {
		if !strings.Contains(strings.Join(methods, " ")+" ", method+" ") {
			t.Errorf("there is no method %s", method)
		}
		if cmd, rest, err := newRoot().Find(strings.Fields(command)[1:]); err != nil || !cmd.Runnable() || len(rest) > strings.Count(command, " ID") {
			t.Errorf("there is no command %s", command)
		}
	}
}

package builtin

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/discv5/host/plugins/builtin/bolt"
	"github.com/discv5/host/plugins/builtin/echo"
	"github.com/discv5/host/plugins/builtin/expr"
	"github.com/discv5/host/sdk"
)

// Command is the first argument of a process that is a bundled plugin. It is not for people.
const Command = "__plugin"

// To bundle another plugin: a package in plugins/builtin, and a line here.
var bundled = map[string]func() sdk.Plugin{
	"bolt": bolt.Plugin,
	"echo": echo.Plugin,
	"expr": expr.Plugin,
}

// Names are the names of the bundled plugins, sorted.
func Names() []string { return slices.Sorted(maps.Keys(bundled)) }

// Serve runs the plugin of the arguments behind Command until its host ends it. It returns only when there is no such plugin.
func Serve(args []string) error {
	if len(args) > 0 {
		if plugin, ok := bundled[args[0]]; ok {
			sdk.Serve(plugin())
		}
	}
	return fmt.Errorf("no bundled plugin %q: there are %s", strings.Join(args, " "), strings.Join(Names(), ", "))
}

// Has tells whether there is a bundled plugin of that name.
func Has(name string) bool { return bundled[name] != nil }

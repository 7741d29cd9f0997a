package cli

import (
	"errors"
	"regexp"

	"github.com/discv5/host/cmd/host/internal/admin"
	"github.com/discv5/host/cmd/host/internal/hint"
)

// aboutExpressions is the advice behind a mistake in a filter expression.
const aboutExpressions = "sdk/expr/README.md describes the language"

// methodName matches a method of the admin API in a text.
var methodName = regexp.MustCompile(`\b(host|discv5)_[a-zA-Z]+\b`)

// commandOf is the command that does what a method does: a running host speaks of methods, which its API has.
var commandOf = map[string]string{
	"host_plugins": "host plugin list", "host_plugin": "host plugin status", "host_fields": "host enr show", "host_banRemove": "host ban remove",
	"host_status": "host status", "host_nodes": "host nodes", "host_bans": "host ban list", "discv5_lookupEnr": "host resolve ID",
}

// inCommands writes commands in place of methods.
func inCommands(text string) string {
	return methodName.ReplaceAllStringFunc(text, func(name string) string {
		if command, ok := commandOf[name]; ok {
			return command
		}
		return name
	})
}

// advised is an error of the host with its hint in words of this program.
func advised(err error) error {
	if _, ok := errors.AsType[*admin.Error](err); !ok {
		return err
	}
	return hint.Wrap(err, inCommands(hint.Of(err)))
}

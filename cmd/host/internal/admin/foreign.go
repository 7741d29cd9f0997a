package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/discv5/host/plugins"
)

// ownNamespaces are what begins the names of our methods. No plugin serves any in them, whatever its name is.
var ownNamespaces = []string{"discv5_", "host_"}

// foreign tells whether a name that is not one of our methods may be one of a plugin's.
func (s *Server) foreign(name string) bool {
	if s.cfg.Plugins == nil || !strings.Contains(name, "_") || len(name) > maxForeign {
		return false
	}
	for _, own := range ownNamespaces {
		if strings.HasPrefix(name, own) {
			return false
		}
	}
	return true
}

// maxForeign bounds the bytes of the name of a plugin's method: a label, a bar and a name.
const maxForeign = 64 + 1 + 64

// callPlugin passes a call to the plugin that serves its method.
func (s *Server) callPlugin(ctx context.Context, name string, params json.RawMessage) (json.RawMessage, error) {
	result, err := s.cfg.Plugins.Call(ctx, name, params)
	if errors.Is(err, plugins.ErrNoMethod) {
		return nil, s.unknown(name)
	}
	return validText(result), err
}

// pluginFailure is an error of a plugin's method with all that the plugin says. A code that it does not give is CodeFailed.
func pluginFailure(e *plugins.MethodError) *Error {
	out := &Error{Code: e.Code, Message: e.Message}
	if out.Code == 0 {
		out.Code = CodeFailed
	}
	if len(e.Data) > 0 {
		out.Data = &ErrorData{Other: validText(e.Data)}
	}
	return out
}

// validText is JSON of a plugin in which no text has bytes that are not UTF-8: with them it would be none.
func validText(text json.RawMessage) json.RawMessage {
	if utf8.Valid(text) {
		return text
	}
	return bytes.ToValidUTF8(text, []byte("\ufffd"))
}

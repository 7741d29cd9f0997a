package config

import (
	"encoding/json"
	"strings"
)

// Key is what may be said of a key in general.
type Key struct {
	Key      string          `json:"key"`  // from the top: "table.ipv4_prefix"; of a plugin block from the block
	Type     string          `json:"type"` // "text", "duration", "whole number", "true or false", "list of texts", "map of texts", "block"
	Form     string          `json:"form,omitempty"`
	Default  json.RawMessage `json:"default,omitempty"` // none: the key must be there, or it is a block
	Required bool            `json:"required,omitempty"`
	Min      string          `json:"min,omitempty"`
	Max      string          `json:"max,omitempty"`
	OneOf    []string        `json:"oneOf,omitempty"` // the words that there are; of a list, for each element
	Flag     string          `json:"flag,omitempty"`
	Variable string          `json:"variable,omitempty"`
	Dev      json.RawMessage `json:"dev,omitempty"` // in place of the default with --dev
	Secret   bool            `json:"secret,omitempty"`
	Doc      string          `json:"doc"`
}

// Reference is every key there is.
type Reference struct {
	Settings []Key            `json:"settings"`
	Plugin   map[string][]Key `json:"plugin"` // by kind: what a block plugin "<kind>" "<name>" may contain
}

// Kinds are the kinds of plugins, in the order in which they are shown.
func Kinds() []string { return append([]string(nil), kinds...) }

// NewReference returns every key, in the order of the struct Config.
func NewReference() Reference {
	r := Reference{Plugin: make(map[string][]Key)}
	top.walk(func(l *leaf) { r.Settings = append(r.Settings, l.key()) })
	for _, kind := range kinds {
		s := pluginSchema(kind)
		for _, a := range s.Attributes {
			k := Key{Key: a.Name, Type: a.Type.Name(), Required: a.Required, Min: a.min, Max: a.max, OneOf: a.oneOf, Doc: a.Doc}
			if a.Default != "" {
				k.Default = json.RawMessage(a.Default)
			}
			r.Plugin[kind] = append(r.Plugin[kind], k)
		}
		for _, b := range s.Blocks {
			r.Plugin[kind] = append(r.Plugin[kind], Key{Key: b.Name, Type: "block", Doc: b.Doc})
		}
	}
	return r
}

func (l *leaf) key() Key {
	k := Key{
		Key: l.path, Type: l.typeName(), Default: l.json(l.def), Min: l.min, Max: l.max, OneOf: l.oneOf, Flag: l.flag,
		Variable: l.variable(), Secret: l.secret, Doc: l.doc,
	}
	if l.kind == textKind {
		k.Form = l.value
	}
	if l.dev != nil {
		k.Dev = l.json(*l.dev)
	}
	return k
}

func (l *leaf) typeName() string {
	is := map[kind]Type{textKind: String, boolKind: Bool, numberKind: Int}[l.kind]
	switch {
	case l.list:
		is = StringList
	case l.isDuration:
		is = Duration
	}
	return is.Name()
}

// json is a value that stands in a tag.
func (l *leaf) json(text string) json.RawMessage {
	value, _ := l.parse(text) // derive has parsed it before
	data, _ := json.Marshal(value)
	return data
}

// variable is the name of the environment variable for the key.
func (l *leaf) variable() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(l.path, ".", "__"))
}

// Name says what values of the type are.
func (t Type) Name() string {
	switch t {
	case String:
		return "text"
	case Int:
		return "whole number"
	case Float:
		return "number"
	case Bool:
		return "true or false"
	case Duration:
		return "duration"
	case StringList:
		return "list of texts"
	case StringMap:
		return "map of texts"
	}
	return "unknown"
}

package config

import (
	"encoding"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Setting is a key with the value that holds, to be shown. A secret's value is its length alone.
type Setting struct {
	Key    string          `json:"key"` // from the top: "table.ipv4_prefix", "plugin.talk.echo.source", "plugin.talk.echo.config.depth"
	Value  json.RawMessage `json:"value"`
	Text   string          `json:"-"` // the value as it stands in a file
	Source string          `json:"source"`
	Secret bool            `json:"secret,omitempty"`
}

// Settings returns every setting in the order of the reference, then those of every plugin block, whether it is enabled or not. Of the
// config block of a plugin there are the keys that are set.
func (l *Loaded) Settings() []Setting {
	var all []Setting
	top.walk(func(f *leaf) {
		from := l.Origins[f.path]
		all = append(all, newSetting(f.path, shownValue(fieldOf(reflect.ValueOf(l.Config), f.path)), from.Where, from.Secret))
	})
	for _, p := range l.Plugins {
		all = append(all, p.settings()...)
	}
	return all
}

// fieldOf finds the value of a key by the tags.
func fieldOf(v reflect.Value, path string) reflect.Value {
	name, rest, nested := strings.Cut(path, ".")
	for f := range v.Type().Fields() {
		if tag, _, _ := strings.Cut(f.Tag.Get("hcl"), ","); tag == name {
			if v = v.FieldByIndex(f.Index); nested {
				return fieldOf(v, rest)
			}
			return v
		}
	}
	panic("config: no field for the key " + path)
}

// shownValue is a value in one of the types of JSON; text for what an operator writes as text.
func shownValue(v reflect.Value) any {
	switch x := v.Interface().(type) {
	case time.Duration:
		return durationText(x)
	case Secret:
		return string(x) // newSetting hides it
	case encoding.TextMarshaler:
		text, err := x.MarshalText()
		if err != nil {
			return ""
		}
		return string(text)
	case fmt.Stringer:
		return x.String()
	}
	switch v.Kind() {
	case reflect.Slice:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = shownValue(v.Index(i))
		}
		return list
	case reflect.String:
		return v.String()
	}
	return v.Interface()
}

// durationText is a duration without the parts that are zero: "5m", not "5m0s".
func durationText(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-2]
		}
	}
	return text
}

// newSetting writes a value in JSON and as in a file. What is empty is no secret.
func newSetting(key string, value any, source string, secret bool) Setting {
	s := Setting{Key: key, Source: source}
	if secret && !empty(value) {
		s.Secret = true
		s.Text = hiddenText(value)
		value = s.Text
	} else {
		s.Text = literal(value)
	}
	s.Value, _ = json.Marshal(value) // of text, numbers, booleans, lists and maps of them
	return s
}

func empty(value any) bool {
	v := reflect.ValueOf(value)
	return (v.Kind() == reflect.String || v.Kind() == reflect.Slice) && v.Len() == 0
}

func hiddenText(value any) string {
	if text, ok := value.(string); ok {
		return fmt.Sprintf("(secret, %d bytes)", len(text))
	}
	return "(secret)"
}

// literal writes a value as it stands in a file.
func literal(value any) string {
	switch x := value.(type) {
	case nil:
		return "null"
	case string:
		return quote(x)
	case []any:
		parts := make([]string, len(x))
		for i, elem := range x {
			parts[i] = literal(elem)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		var parts []string
		for _, key := range slices.Sorted(maps.Keys(x)) {
			parts = append(parts, mapKey(key)+" = "+literal(x[key]))
		}
		if len(parts) == 0 {
			return "{}"
		}
		return "{ " + strings.Join(parts, ", ") + " }"
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64)
	case json.Number:
		return x.String()
	}
	return fmt.Sprint(value)
}

func mapKey(key string) string {
	if hclsyntax.ValidIdentifier(key) {
		return key
	}
	return quote(key)
}

package sdk

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/discv5/host/sdk/pluginpb"
)

// maxConfigDepth bounds how deep blocks are nested. A type that contains itself goes beyond.
const maxConfigDepth = 8

var (
	configName   = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)
	durationType = reflect.TypeFor[time.Duration]()
	textType     = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// configField is a field of a config struct that has an hcl tag.
type configField struct {
	index    int
	name     string
	optional bool
	block    bool
	secret   bool
	doc      string
}

// configFields returns the fields of a struct type that are configuration, and what is wrong with their tags.
func configFields(t reflect.Type, path string) ([]configField, []error) {
	var fields []configField
	var errs []error
	for i := range t.NumField() {
		sf := t.Field(i)
		tag, tagged := sf.Tag.Lookup("hcl")
		if !tagged {
			continue
		}
		wrong := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("config field %s%s: %s", path, sf.Name, fmt.Sprintf(format, args...)))
		}
		name, rest, _ := strings.Cut(tag, ",")
		f := configField{index: i, name: name, doc: sf.Tag.Get("doc"), secret: sf.Tag.Get("secret") == "true"}
		switch rest {
		case "", "attr":
		case "optional":
			f.optional = true
		case "block":
			f.block = true
		default:
			wrong("the tag hcl:%q is not supported: write \"name\", \"name,optional\" or \"name,block\"", tag)
			continue
		}
		switch {
		case !sf.IsExported():
			wrong("it has an hcl tag but is not exported")
		case !configName.MatchString(name):
			wrong("the name %q is not made of a-z, 0-9 and _", name)
		case slices.ContainsFunc(fields, func(o configField) bool { return o.name == name }):
			wrong("the name %q is taken by another field", name)
		default:
			fields = append(fields, f)
		}
	}
	return fields, errs
}

// configSchema describes the struct that config points to, with the values found there as defaults. nil has an empty schema.
func configSchema(config any) (*pluginpb.ConfigSchema, error) {
	if config == nil {
		return &pluginpb.ConfigSchema{}, nil
	}
	v := reflect.ValueOf(config)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return nil, fmt.Errorf("config is a %T; it must be a pointer to a struct", config)
	}
	schema, errs := structSchema(v.Elem(), "", 0)
	return schema, errors.Join(errs...)
}

func structSchema(v reflect.Value, path string, depth int) (*pluginpb.ConfigSchema, []error) {
	schema := &pluginpb.ConfigSchema{}
	if depth > maxConfigDepth {
		return schema, []error{fmt.Errorf("config block %s: blocks are nested more than %d deep", path, maxConfigDepth)}
	}
	fields, errs := configFields(v.Type(), path)
	for _, f := range fields {
		fv := v.Field(f.index)
		name := v.Type().Field(f.index).Name
		if f.block {
			b, blockErrs := blockSchema(fv, f, path+name, depth)
			schema.Blocks = append(schema.Blocks, b)
			errs = append(errs, blockErrs...)
			continue
		}
		kind, err := configType(fv.Type())
		if err != nil {
			errs = append(errs, fmt.Errorf("config field %s%s: %w", path, name, err))
			continue
		}
		a := &pluginpb.ConfigAttribute{Name: f.name, Type: kind, Required: !f.optional, Doc: valid(f.doc), Secret: f.secret}
		if f.optional && !(f.secret && !fv.IsZero()) { // a secret default stays here
			if a.DefaultJson, err = defaultJSON(fv); err != nil {
				errs = append(errs, fmt.Errorf("config field %s%s: its default: %w", path, name, err))
			}
		}
		schema.Attributes = append(schema.Attributes, a)
	}
	return schema, errs
}

func blockSchema(v reflect.Value, f configField, path string, depth int) (*pluginpb.ConfigBlock, []error) {
	b := &pluginpb.ConfigBlock{Name: f.name, Doc: valid(f.doc), Schema: &pluginpb.ConfigSchema{}}
	t := v.Type()
	optional := false
	switch {
	case t.Kind() == reflect.Slice:
		b.Repeated, optional = true, true
		t = t.Elem()
		v = reflect.Zero(t)
	case t.Kind() == reflect.Pointer:
		optional = true
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
		if v.IsNil() {
			v = reflect.Zero(t)
		} else {
			v = v.Elem()
		}
	}
	if t.Kind() != reflect.Struct {
		return b, []error{fmt.Errorf("config block %s: it is a %s; a block is a struct, a pointer to one or a slice of them", path, v.Type())}
	}
	var errs []error
	b.Schema, errs = structSchema(v, path+".", depth+1)
	b.Required = !optional && demanding(b.Schema)
	return b, errs
}

// demanding tells whether a block with this schema cannot be left out, because something in it cannot.
func demanding(s *pluginpb.ConfigSchema) bool {
	return slices.ContainsFunc(s.Attributes, func(a *pluginpb.ConfigAttribute) bool { return a.Required }) ||
		slices.ContainsFunc(s.Blocks, func(b *pluginpb.ConfigBlock) bool { return b.Required })
}

func configType(t reflect.Type) (pluginpb.ConfigType, error) {
	switch {
	case t == durationType:
		return pluginpb.ConfigType_CONFIG_TYPE_DURATION, nil
	case t.Implements(textType) || reflect.PointerTo(t).Implements(textType):
		return 0, fmt.Errorf("type %s is not supported: use a string and parse it in Validate", t)
	}
	switch t.Kind() {
	case reflect.String:
		return pluginpb.ConfigType_CONFIG_TYPE_STRING, nil
	case reflect.Bool:
		return pluginpb.ConfigType_CONFIG_TYPE_BOOL, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return pluginpb.ConfigType_CONFIG_TYPE_INT, nil
	case reflect.Float32, reflect.Float64:
		return pluginpb.ConfigType_CONFIG_TYPE_FLOAT, nil
	case reflect.Slice:
		if t.Elem().Kind() == reflect.String {
			return pluginpb.ConfigType_CONFIG_TYPE_STRING_LIST, nil
		}
	case reflect.Map:
		if t.Key().Kind() == reflect.String && t.Elem().Kind() == reflect.String {
			return pluginpb.ConfigType_CONFIG_TYPE_STRING_MAP, nil
		}
	case reflect.Struct, reflect.Pointer:
		return 0, fmt.Errorf("type %s is not supported here: tag it %q if it is a block", t, "name,block")
	}
	return 0, fmt.Errorf("type %s is not supported: use string, bool, a number, time.Duration, []string or map[string]string", t)
}

func defaultJSON(v reflect.Value) (string, error) {
	switch {
	case v.Type() == durationType:
		return `"` + time.Duration(v.Int()).String() + `"`, nil
	case v.Kind() == reflect.Slice && v.IsNil():
		return "[]", nil
	case v.Kind() == reflect.Map && v.IsNil():
		return "{}", nil
	}
	text, err := json.Marshal(v.Interface())
	return string(text), err
}

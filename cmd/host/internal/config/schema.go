package config

import (
	"encoding"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/cmd/host/internal/nearest"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// maxList is the most elements a list may have.
const maxList = 1024

type kind int

const (
	textKind kind = iota
	boolKind
	numberKind
)

// leaf is one key.
type leaf struct {
	path string // from the top: "table.bucket_ip_limit"
	kind kind
	list bool

	flag, value, doc, def string
	dev                   *string // the default in the profile of --dev, if it has another
	isPath                bool
	word                  string // in place of a path, and no path
	secret                bool   // appears in no output
	isDuration            bool
	oneOf                 []string
	min, max              string
	check                 func(text string) error // of one element, nil: none
}

// schema is a block: keys and blocks by name.
type schema struct {
	path   string // "" at the top, else "table"
	names  []string
	leaves map[string]*leaf
	blocks map[string]*schema
}

// top is the schema of Config.
var top = derive("", reflect.TypeFor[Config]())

// derive builds the schema of a struct type. A tag it cannot use is a mistake in this package, so it panics at start.
func derive(path string, t reflect.Type) *schema {
	s := &schema{path: path, leaves: make(map[string]*leaf), blocks: make(map[string]*schema)}
	for f := range t.Fields() {
		name, option, _ := strings.Cut(f.Tag.Get("hcl"), ",")
		s.names = append(s.names, name)
		if option == "block" {
			s.blocks[name] = derive(join(path, name), f.Type)
			continue
		}
		l := &leaf{
			path: join(path, name), flag: f.Tag.Get("flag"), value: f.Tag.Get("value"), doc: f.Tag.Get("doc"), def: f.Tag.Get("default"),
			isPath: f.Tag.Get("path") != "", oneOf: strings.Fields(f.Tag.Get("oneof")), min: f.Tag.Get("min"), max: f.Tag.Get("max"),
		}
		l.word = f.Tag.Get("word")
		if dev, ok := f.Tag.Lookup("dev"); ok {
			l.dev = &dev
		}
		elem := f.Type
		if elem.Kind() == reflect.Slice {
			l.list, elem = true, elem.Elem()
		}
		l.bind(elem)
		if _, err := l.parse(l.def); err != nil {
			panic(fmt.Sprintf("config: default of %s: %v", l.path, err))
		}
		if l.dev != nil {
			if _, err := l.parse(*l.dev); err != nil {
				panic(fmt.Sprintf("config: %s in the profile: %v", l.path, err))
			}
		}
		s.leaves[name] = l
	}
	return s
}

// bind chooses how the leaf's elements, of type t, are read and checked.
func (l *leaf) bind(t reflect.Type) {
	switch {
	case t == reflect.TypeFor[netip.AddrPort]():
		l.check = checkListen
		if !l.list {
			l.check = optional(checkListen)
		}
	case t == reflect.TypeFor[*enode.Node]():
		l.check = checkENR
	case t == reflect.TypeFor[time.Duration]():
		l.isDuration = true
		l.check = l.checkDuration
	case t == reflect.TypeFor[Secret]():
		l.secret = true
		l.check = func(text string) error { return new(Secret).UnmarshalText([]byte(text)) }
	case reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		l.check = func(text string) error {
			return reflect.New(t).Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text))
		}
	case t.Kind() == reflect.String:
		if len(l.oneOf) > 0 {
			l.check = l.checkWord
		}
	case t.Kind() == reflect.Bool:
		l.kind = boolKind
	case t.Kind() == reflect.Int:
		l.kind = numberKind
	default:
		panic(fmt.Sprintf("config: %s has the type %v", l.path, t))
	}
}

// optional lets check pass an empty text.
func optional(check func(string) error) func(string) error {
	return func(text string) error {
		if text == "" {
			return nil
		}
		return check(text)
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// walk calls f for every leaf, in the order of the struct.
func (s *schema) walk(f func(*leaf)) {
	for _, name := range s.names {
		if l := s.leaves[name]; l != nil {
			f(l)
		} else {
			s.blocks[name].walk(f)
		}
	}
}

// wanted says what an element of the leaf looks like.
func (l *leaf) wanted() string {
	return map[kind]string{textKind: "text in quotes", boolKind: "true or false", numberKind: "a number"}[l.kind]
}

// example is a value of the leaf, to be filled in.
func (l *leaf) example() string {
	if l.list {
		return "[ … ]"
	}
	return map[kind]string{textKind: `"…"`, boolKind: "true", numberKind: l.def}[l.kind]
}

// parse reads the text form, in which lists are separated by commas, and returns the value as koanf holds it: a string, a
// bool, an int64 or a []any of strings.
func (l *leaf) parse(text string) (any, error) {
	if !l.list {
		return l.parseOne(text)
	}
	list := []any{}
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		v, err := l.parseOne(part)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, l.checkLength(len(list))
}

func (l *leaf) parseOne(text string) (any, error) {
	switch l.kind {
	case boolKind:
		v, err := strconv.ParseBool(text)
		if err != nil {
			return nil, hint.New(fmt.Sprintf("%q is not true or false", text), "write true or false")
		}
		return v, nil
	case numberKind:
		v, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, hint.New(fmt.Sprintf("%q is not a whole number", text), l.bounds())
		}
		return v, l.checkNumber(v)
	default:
		if l.check != nil {
			if err := l.check(text); err != nil {
				return nil, err
			}
		}
		return text, nil
	}
}

func (l *leaf) checkLength(n int) error {
	if n > maxList {
		return hint.New(fmt.Sprintf("%d elements", n), fmt.Sprintf("a list has at most %d", maxList))
	}
	return nil
}

func (l *leaf) bounds() string { return fmt.Sprintf("use a value from %s to %s", l.min, l.max) }

func (l *leaf) checkNumber(v int64) error {
	low, _ := strconv.ParseInt(l.min, 10, 64)
	high, _ := strconv.ParseInt(l.max, 10, 64)
	if v < low || v > high {
		return hint.New(fmt.Sprintf("%d is out of range", v), l.bounds())
	}
	return nil
}

func (l *leaf) checkDuration(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil {
		return hint.New(fmt.Sprintf("%q is not a duration", text), `write a number with a unit, like "500ms" or "4s"`)
	}
	low, _ := time.ParseDuration(l.min)
	high, _ := time.ParseDuration(l.max)
	if d < low || d > high {
		return hint.New(fmt.Sprintf("%q is out of range", text), l.bounds())
	}
	return nil
}

func (l *leaf) checkWord(text string) error {
	if slices.Contains(l.oneOf, text) {
		return nil
	}
	advice := "use one of " + strings.Join(l.oneOf, ", ")
	if near := nearest.Word(text, l.oneOf); near != "" {
		advice = fmt.Sprintf("did you mean %q?", near)
	}
	return hint.New(fmt.Sprintf("%q is unknown", text), advice)
}

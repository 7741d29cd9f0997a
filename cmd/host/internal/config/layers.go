package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/cmd/host/internal/nearest"
	"github.com/spf13/pflag"
)

const (
	envPrefix  = "HOST_"
	envFile    = envPrefix + "CONFIG" // names the files, like --config
	configFlag = "config"
)

// values is a koanf.Provider of one layer: nested maps.
type values map[string]any

func (v values) Read() (map[string]any, error) { return v, nil }
func (v values) ReadBytes() ([]byte, error)    { return nil, errors.ErrUnsupported }

// set stores a value under the path of l.
func (v values) set(l *leaf, value any) {
	block, name, nested := strings.Cut(l.path, ".")
	if !nested {
		v[l.path] = value
		return
	}
	inner, ok := v[block].(map[string]any)
	if !ok {
		inner = make(map[string]any)
		v[block] = inner
	}
	inner[name] = value
}

func defaults() values {
	v := make(values)
	top.walk(func(l *leaf) {
		value, _ := l.parse(l.def) // derive has parsed it before
		v.set(l, value)
	})
	return v
}

// profile is the layer of --dev: what is different in it from the defaults.
func profile() (values, map[string]Origin) {
	v, origins := make(values), make(map[string]Origin)
	top.walk(func(l *leaf) {
		if l.dev != nil {
			value, _ := l.parse(*l.dev) // derive has parsed it before
			v.set(l, value)
			origins[l.path] = Origin{Where: "profile dev"}
		}
	})
	return v, origins
}

// fromEnv reads the variables of the form NAME=value.
func fromEnv(env []string) (v values, origins map[string]Origin, problems Problems, warnings []string) {
	v, origins = make(values), make(map[string]Origin)
	known := make(map[string]*leaf)
	var names []string
	top.walk(func(l *leaf) {
		known[l.variable()] = l
		names = append(names, strings.TrimPrefix(l.variable(), envPrefix))
	})
	env = slices.Sorted(slices.Values(env))
	for _, pair := range env {
		name, text, _ := strings.Cut(pair, "=")
		key, ours := strings.CutPrefix(name, envPrefix)
		if !ours || text == "" || name == envFile {
			continue
		}
		where := "environment variable " + name
		l := known[name]
		if l == nil && (top.blocks[strings.ToLower(key)] != nil || strings.HasPrefix(key, strings.ToUpper(pluginType)+"__")) {
			problems = append(problems, aBlock(where, name, strings.ToLower(key)))
			continue
		}
		if l == nil {
			if near := nearest.Within(key, names, 1+min(len(key), 8)/8); near != "" {
				problems = append(problems, Problem{Where: where, What: "no such setting", Hint: fmt.Sprintf("did you mean %s%s?", envPrefix, near)})
			} else {
				warnings = append(warnings, where+" is not a setting of this program")
			}
			continue
		}
		value, err := l.parse(text)
		if err != nil {
			problems = append(problems, Problem{Where: where, What: err.Error(), Hint: hint.Of(err)})
			continue
		}
		v.set(l, value)
		origins[l.path] = Origin{Where: where, Secret: l.secret}
	}
	return v, origins, problems, warnings
}

// aBlock is the problem of a variable that stands for a block, or for something in a plugin block.
func aBlock(where, name, key string) Problem {
	if b := top.blocks[key]; b != nil {
		return Problem{Where: where, What: fmt.Sprintf("%s is a block", key), Hint: fmt.Sprintf("a variable sets one key of it: %s__%s", name, strings.ToUpper(b.names[0]))}
	}
	return Problem{
		Where: where, What: "no variable changes a plugin block",
		Hint: `plugin blocks stand in files alone, where a value may be env("NAME"): choose a name that does not begin with HOST_`,
	}
}

// flagValue is a pflag.Value that collects the texts given; Load judges them with everything else.
type flagValue struct {
	leaf  *leaf
	texts []string
}

func (f *flagValue) String() string { return strings.Join(f.texts, ",") }
func (f *flagValue) Type() string   { return f.leaf.value }

func (f *flagValue) Set(text string) error {
	if !f.leaf.list {
		f.texts = f.texts[:0]
	}
	f.texts = append(f.texts, text)
	return nil
}

// Flags adds a flag to fs for every setting that has one, and --config. Flags that hold lists may be repeated.
func Flags(fs *pflag.FlagSet) {
	FileFlag(fs)
	top.walk(func(l *leaf) {
		if l.flag == "" {
			return
		}
		doc := l.doc
		if l.list {
			doc += "; may be repeated"
		}
		fs.Var(&flagValue{leaf: l}, l.flag, doc)
		fs.Lookup(l.flag).DefValue = l.def
		if l.kind == boolKind {
			fs.Lookup(l.flag).NoOptDefVal = "true"
		}
	})
}

// FileFlag adds --config alone.
func FileFlag(fs *pflag.FlagSet) {
	fs.StringArray(configFlag, nil, "read settings from this `path`: a file, or a folder with files *.hcl; may be repeated, the later ones win")
}

// fromFlags reads the flags that were given.
func fromFlags(fs *pflag.FlagSet) (v values, origins map[string]Origin, problems Problems) {
	v, origins = make(values), make(map[string]Origin)
	fs.Visit(func(f *pflag.Flag) {
		given, ours := f.Value.(*flagValue)
		if !ours {
			return
		}
		where := "flag --" + f.Name
		if given.leaf.list && slices.ContainsFunc(given.texts, func(text string) bool { return strings.Trim(text, " ,") == "" }) {
			problems = append(problems, Problem{Where: where, What: "the text is empty", Hint: "give it a value, or leave the flag out", OnFlags: true})
			return
		}
		value, err := given.leaf.parse(strings.Join(given.texts, ","))
		if err != nil {
			problems = append(problems, Problem{Where: where, What: err.Error(), Hint: hint.Of(err), OnFlags: true})
			return
		}
		v.set(given.leaf, value)
		origins[given.leaf.path] = Origin{Where: where, Secret: given.leaf.secret, problem: Problem{OnFlags: true}}
	})
	return v, origins, problems
}

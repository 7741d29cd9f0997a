package config

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
)

// Sources are where settings may come from, besides the defaults. The zero value gives the defaults alone.
type Sources struct {
	Env   []string       // as os.Environ returns it
	Flags *pflag.FlagSet // parsed, with the flags that Flags added; nil: none
}

// Origin says where a value came from.
type Origin struct {
	Where  string // "default", "profile dev", or as in Problem.Where
	Secret bool   // the value must not be shown: it is one of a Secret, or file() returned it

	problem Problem // at the place, without what and hint
}

// Loaded is a checked configuration.
type Loaded struct {
	Config   Config
	Files    []string          // the configuration files in the order in which they were read
	Origins  map[string]Origin // by key, blocks joined by a dot: "table.bucket_ip_limit"
	Plugins  []*Plugin         // in the order of the files, those that are not enabled too
	Warnings []string          // for the log

	pipe string // a pipe among the files, which cannot be read again
}

// Load merges the layers and checks the result. Mistakes are returned as Problems, all of them; a file that cannot be
// read is a plain error with a hint. A file that is the pipe of a shell, like <(command), is read until ctx ends.
//
// It changes nothing and may be called again with the same Sources, to load what the files say by then; see CheckReload.
func Load(ctx context.Context, src Sources) (*Loaded, error) {
	out, problems, err := merge(ctx, src)
	if err != nil {
		return nil, err
	}
	// The lines that are wrong are missing from the layers, so a rule over several keys would judge something else.
	if len(problems) > 0 {
		return nil, problems
	}
	if problems := out.check(); len(problems) > 0 {
		return nil, problems
	}
	out.unused()
	return out, nil
}

// merge puts the layers over each other, but for what is wrong in them.
func merge(ctx context.Context, src Sources) (out *Loaded, problems Problems, err error) {
	out = &Loaded{Origins: make(map[string]Origin)}
	k := koanf.New(".")
	if err := k.Load(defaults(), nil); err != nil {
		return nil, nil, err
	}
	top.walk(func(l *leaf) { out.Origins[l.path] = Origin{Where: "default"} })

	above := koanf.New(".") // the layers above the defaults; whether the profile is between is said in them
	aboveOrigins := make(map[string]Origin)
	if problems, err = out.readFiles(ctx, src, above, aboveOrigins); err != nil {
		return nil, nil, err
	}
	env, origins, found, warnings := fromEnv(src.Env)
	problems, out.Warnings = append(problems, found...), warnings
	if err := above.Load(env, nil); err != nil {
		return nil, nil, err
	}
	maps.Copy(aboveOrigins, origins)
	if src.Flags != nil {
		flags, origins, found := fromFlags(src.Flags)
		problems = append(problems, found...)
		if err := above.Load(flags, nil); err != nil {
			return nil, nil, err
		}
		maps.Copy(aboveOrigins, origins)
	}
	if above.Bool("dev") {
		dev, origins := profile()
		if err := k.Load(dev, nil); err != nil {
			return nil, nil, err
		}
		maps.Copy(out.Origins, origins)
	}
	if err := k.Merge(above); err != nil {
		return nil, nil, err
	}
	maps.Copy(out.Origins, aboveOrigins)
	if err := k.UnmarshalWithConf("", &out.Config, koanf.UnmarshalConf{Tag: "hcl"}); err != nil {
		return nil, nil, errors.Join(problems.orNil(), err)
	}
	if err := out.home(); err != nil {
		return nil, nil, errors.Join(problems.orNil(), err)
	}
	return out, problems, nil
}

// home replaces a leading ~ by the user's home.
func (l *Loaded) home() error {
	for key, path := range map[string]*string{
		"data_dir": &l.Config.DataDir, "key_file": &l.Config.KeyFile, "run_dir": &l.Config.RunDir, "admin.socket": &l.Config.Admin.Socket,
	} {
		rest, ok := underHome(*path)
		if !ok {
			continue
		}
		home, err := os.UserHomeDir()
		if err != nil {
			return hint.Wrap(fmt.Errorf("%s: %w", key, err), "this user has no home; give --data-dir")
		}
		*path = filepath.Join(home, rest)
	}
	return nil
}

// underHome returns what follows a ~ that stands for the user's home.
func underHome(path string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(path, "~")
	return rest, ok && (rest == "" || rest[0] == '/' || rest[0] == filepath.Separator)
}

// expandHome replaces a leading ~ by the user's home; a user without one has no such path, whatever it is then.
func expandHome(path string) string {
	if rest, ok := underHome(path); ok {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, rest)
		}
	}
	return path
}

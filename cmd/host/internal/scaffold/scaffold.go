package scaffold

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"
)

//go:embed all:templates
var templates embed.FS

// Kinds and Langs are what there are templates for.
var (
	Kinds = []string{"talk", "filter", "store"}
	Langs = []string{"go", "python"}
)

var goodName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`)

// ErrExists says that something is there already: nothing is overwritten.
var ErrExists = errors.New("it exists already")

// values are what templates use.
type values struct {
	Kind, Name string
	Replace    string // absolute path of a checkout of the host; "": the published module
}

// New writes a plugin to a folder, which it makes: kind is one of Kinds, lang one of Langs, name 1 to 32 of a-z, 0-9, _ and -. A
// Go plugin gets a go.mod; replace, if not empty, is a checkout of the host's repository to build it with, and then builds without
// a network as far as the checkout does.
func New(kind, name, lang, dir, replace string) error {
	switch {
	case !slices.Contains(Kinds, kind):
		return fmt.Errorf("there are no plugins of the kind %q: %s", kind, strings.Join(Kinds, ", "))
	case !slices.Contains(Langs, lang):
		return fmt.Errorf("there is no template for %q: %s", lang, strings.Join(Langs, ", "))
	case !goodName.MatchString(name):
		return fmt.Errorf("%q is no name for a plugin: 1 to 32 of a-z, 0-9, _ and -, a letter or digit first", name)
	case replace != "" && lang != "go":
		return errors.New("only Go plugins are built with a checkout of the host")
	}
	v := values{Kind: kind, Name: name}
	files := make(map[string][]byte)
	if lang == "go" {
		if replace != "" {
			var err error
			if v.Replace, err = filepath.Abs(replace); err != nil {
				return err
			}
		}
		if err := module(files, v); err != nil {
			return err
		}
	}
	if err := render(files, v, path.Join("templates", lang)); err != nil {
		return err
	}
	return write(dir, files)
}

// render fills in the templates of a language: those beside the folders of the kinds, those of the kind, and what is shared as it is.
func render(files map[string][]byte, v values, root string) error {
	return fs.WalkDir(templates, root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		rel := strings.TrimPrefix(name, root+"/")
		folder, inner, nested := strings.Cut(rel, "/")
		switch {
		case !nested:
		case folder == v.Kind, folder == "shared" && (inner != "discv5talk.py" || v.Kind == "talk"):
			rel = inner
		default:
			return nil
		}
		content, err := templates.ReadFile(name)
		if err != nil {
			return err
		}
		if plain, ok := strings.CutSuffix(rel, ".tmpl"); ok {
			t, err := template.New(name).Option("missingkey=error").Parse(string(content))
			if err != nil {
				return err
			}
			var out bytes.Buffer
			if err := t.Execute(&out, v); err != nil {
				return err
			}
			rel, content = plain, out.Bytes()
		}
		files[rel] = content
		return nil
	})
}

// write makes the folder and the files in it. A folder that exists must be empty.
func write(dir string, files map[string][]byte) error {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return fmt.Errorf("%s: %w, and is a file", dir, ErrExists)
	}
	if there, err := os.ReadDir(dir); err == nil && len(there) > 0 {
		return fmt.Errorf("%s: %w, and is not empty", dir, ErrExists)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for name, content := range files {
		to := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
			return err
		}
		mode := fs.FileMode(0o666)
		if bytes.HasPrefix(content, []byte("#!")) {
			mode = 0o777
		}
		f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if err != nil {
			return err
		}
		_, err = f.Write(content)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}

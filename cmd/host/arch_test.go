package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	module = "github.com/discv5/host/"
	root   = "../.."
)

// layer says which packages of this module a folder may import. A name stands for its folder and everything below.
type layer struct {
	folder string
	may    []string
}

// layers are all there are; the first that fits a package counts. Tests may import what they like.
var layers = []layer{
	{"codec", nil},
	{"table", nil},
	{"sdk/fields", nil},
	{"sdk/pluginpb", nil},
	{"sdk/processors", nil},
	{"sdk/forks", []string{"sdk/fields"}},
	{"sdk/expr", []string{"sdk/fields", "sdk/forks"}},
	{"sdk/internal", []string{"sdk/pluginpb", "sdk/fields", "sdk/internal", "table"}},
	{"sdk/sdktest", []string{"sdk"}},
	{"sdk", []string{"sdk/pluginpb", "sdk/fields", "sdk/processors", "sdk/internal", "table"}},
	{"core/internal", []string{"codec", "core/internal"}},
	{"core", []string{"codec", "table", "core/internal"}},
	{"plugins/builtin", []string{"sdk"}},
	{"plugins", []string{"codec", "core", "sdk", "plugins"}},
	{"examples/plugins", []string{"sdk"}},
	{"cmd/host", []string{"codec", "table", "core", "sdk", "plugins", "cmd/host"}},
}

func within(pkg, folder string) bool { return pkg == folder || strings.HasPrefix(pkg, folder+"/") }

// sources parses the imports and package clauses of all Go files, for all systems, by folder.
func sources(t *testing.T) map[string]map[string]goFile {
	t.Helper()
	packages := make(map[string]map[string]goFile)
	set := token.NewFileSet()
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := entry.Name()
		if entry.IsDir() && name != root && (strings.HasPrefix(base, ".") || base == "testdata") {
			return fs.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(base, ".go") {
			return nil
		}
		f, err := parser.ParseFile(set, name, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, filepath.Dir(name))
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(rel)
		if packages[pkg] == nil {
			packages[pkg] = make(map[string]goFile)
		}
		file := goFile{name: f.Name.Name, doc: f.Doc.Text()}
		for _, i := range f.Imports {
			imported, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			file.imports = append(file.imports, imported)
		}
		packages[pkg][base] = file
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return packages
}

type goFile struct {
	name    string // of the package clause
	doc     string // the comment before the package clause
	imports []string
}

func TestImports(t *testing.T) {
	checked := make(map[string]int)
	for pkg, files := range sources(t) {
		i := slices.IndexFunc(layers, func(l layer) bool { return within(pkg, l.folder) })
		if i < 0 {
			t.Errorf("package %s has no place in the layers", pkg)
			continue
		}
		layer := layers[i]
		for name, f := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			checked[layer.folder]++
			for _, imported := range f.imports {
				if inside, ours := strings.CutPrefix(imported, module); ours && !slices.ContainsFunc(layer.may, func(m string) bool { return within(inside, m) }) {
					t.Errorf("%s imports %s: %s may import %q of this module", path.Join(pkg, name), inside, layer.folder, layer.may)
				}
			}
		}
	}
	for _, l := range layers {
		if checked[l.folder] == 0 && l.folder != "examples/plugins" { // those may all be in other languages
			t.Errorf("the layer %s has no files", l.folder)
		}
	}
}

// Every package says what it is, in doc.go and nowhere else.
func TestPackageDocs(t *testing.T) {
	for pkg, files := range sources(t) {
		for name, f := range files {
			switch {
			case name == "doc.go":
				begin := "Package " + path.Base(pkg) + " "
				if f.name == "main" {
					begin = "Command " + path.Base(pkg) + " "
				}
				if !strings.HasPrefix(f.doc, begin) {
					t.Errorf("%s/doc.go does not begin with %q", pkg, begin)
				}
			case f.doc != "" && !strings.HasSuffix(name, "_test.go"):
				t.Errorf("%s/%s has a package comment, which belongs into doc.go", pkg, name)
			}
		}
		if _, ok := files["doc.go"]; !ok {
			t.Errorf("package %s has no doc.go", pkg)
		}
	}
}

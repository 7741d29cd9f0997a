package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/discv5/host/cmd/host/internal/nearest"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Type is the type of an attribute.
type Type int

// The types, and what they are in JSON.
const (
	String     Type = iota + 1 // string
	Int                        // number without a fraction, 64 bits
	Float                      // number
	Bool                       // true or false
	Duration                   // string with a unit, as it was written: "300ms"
	StringList                 // array of strings
	StringMap                  // object of strings
)

// Attribute is a key with a value.
type Attribute struct {
	Name     string
	Type     Type
	Required bool
	Default  string // JSON of the value that holds when the key is left out, for people; empty: none
	Doc      string
	Secret   bool // the value appears in no message

	min, max string   // bounds of an Int or a Duration, and
	oneOf    []string // the words that there are; both for the reference alone
}

// Block is a nested block.
type Block struct {
	Name     string
	Repeated bool // an array of objects in JSON; otherwise it may appear once, and is an object
	Required bool
	Schema   Schema
	Doc      string

	free bool // whatever is in it, it is not looked at
}

// Schema says what a block may contain. The zero value allows nothing.
type Schema struct {
	Attributes []Attribute
	Blocks     []Block
}

// Bounds of a schema.
const (
	maxSchemaNames = 256 // in one block
	maxSchemaDepth = 8   // blocks in blocks
)

var schemaName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,63}$`)

// Validate returns everything that is wrong with the schema itself, which a stranger may have written: names that HCL cannot
// have or that appear twice, types that do not exist, defaults that are not JSON, more than 256 names in a block or blocks
// more than 8 deep.
func (s Schema) Validate() error { return s.validate("", 1) }

func (s Schema) validate(path string, depth int) error {
	var errs []error
	if depth > maxSchemaDepth {
		return fmt.Errorf("schema: %s is more than %d blocks deep", path, maxSchemaDepth)
	}
	if len(s.Attributes)+len(s.Blocks) > maxSchemaNames {
		return fmt.Errorf("schema: more than %d names in %q", maxSchemaNames, path)
	}
	seen := make(map[string]bool)
	name := func(n string) {
		if !schemaName.MatchString(n) {
			errs = append(errs, fmt.Errorf("schema: %.80q is not a name", join(path, n)))
		} else if seen[n] {
			errs = append(errs, fmt.Errorf("schema: %q appears twice", join(path, n)))
		}
		seen[n] = true
	}
	for _, a := range s.Attributes {
		name(a.Name)
		if a.Type < String || a.Type > StringMap {
			errs = append(errs, fmt.Errorf("schema: %q has the unknown type %d", join(path, a.Name), a.Type))
		}
		if a.Default != "" && !json.Valid([]byte(a.Default)) {
			errs = append(errs, fmt.Errorf("schema: the default of %q is not JSON", join(path, a.Name)))
		}
	}
	for _, b := range s.Blocks {
		name(b.Name)
		errs = append(errs, b.Schema.validate(join(path, b.Name), depth+1))
	}
	return errors.Join(errs...)
}

func (s Schema) attribute(name string) *Attribute {
	if i := slices.IndexFunc(s.Attributes, func(a Attribute) bool { return a.Name == name }); i >= 0 {
		return &s.Attributes[i]
	}
	return nil
}

func (s Schema) block(name string) *Block {
	if i := slices.IndexFunc(s.Blocks, func(b Block) bool { return b.Name == name }); i >= 0 {
		return &s.Blocks[i]
	}
	return nil
}

func (s Schema) names() []string {
	var names []string
	for _, a := range s.Attributes {
		names = append(names, a.Name)
	}
	for _, b := range s.Blocks {
		names = append(names, b.Name)
	}
	return names
}

// Body is the content of a block that is checked later, with what it takes to evaluate it and to point at its places. It is
// immutable; DecodeBody may be called by anybody at any time.
type Body struct {
	hcl.Body
	Range hcl.Range // of the block's header, or of the block around it when it was left out

	doc  *document
	path string // what names in it begin with: "config"

	printing sync.Once
	print    string // see Fingerprint
}

// DecodeBody checks body against s and returns its values and their JSON object. Keys that are left out are left out there
// too, also those with a default. Values are string, int64, float64, bool, string for a Duration, []string,
// map[string]string, map[string]any for a block and []any of those for a repeated one.
//
// Body is a *Body of a Plugin, or one that hclsyntax parsed; then there are no functions, and no source lines in problems. Nil
// is an empty one. Mistakes are Problems, all of them.
func DecodeBody(body hcl.Body, s Schema) (values map[string]any, object []byte, err error) {
	d := &decoder{doc: &document{}}
	path, missing := "", hcl.Range{}
	if b, ok := body.(*Body); ok {
		d.doc, path, missing, body = b.doc, b.path, b.Range, b.Body
	}
	inner, ok := body.(*hclsyntax.Body)
	switch {
	case body == nil:
		inner = &hclsyntax.Body{}
	case !ok:
		return nil, nil, fmt.Errorf("a configuration body of type %T", body)
	}
	if missing == (hcl.Range{}) {
		missing = inner.MissingItemRange()
	}
	if d.doc.file == "" {
		d.doc.file = missing.Filename
	}
	values = d.body(inner, s, path, missing)
	if len(d.problems) > 0 {
		d.problems.sort()
		return nil, nil, d.problems
	}
	object, err = json.Marshal(values)
	return values, object, err
}

// decoder collects the problems of one body.
type decoder struct {
	doc      *document
	problems Problems
	hidden   map[string]bool // keys of the outermost block with something that file() returned, and its elements: "env", "env.NAME", "args.0"
}

func (d *decoder) add(r hcl.Range, what, advice string) {
	d.problems = append(d.problems, d.doc.problem(r, what, advice))
}

// body decodes b. missing is where a required key would have to be.
func (d *decoder) body(b *hclsyntax.Body, s Schema, path string, missing hcl.Range) map[string]any {
	values := make(map[string]any)
	meant := make(map[string]bool) // what is there, mistyped or in the wrong form
	for _, name := range slices.Sorted(maps.Keys(b.Attributes)) {
		attr := b.Attributes[name]
		switch a := s.attribute(name); {
		case a != nil:
			if v, ok := d.attribute(attr, a, path); ok {
				values[name] = v
			}
		case s.block(name) != nil:
			meant[name] = true
			d.add(attr.NameRange, fmt.Sprintf("%q is a block", join(path, name)), fmt.Sprintf("write %s { … } without an equals sign", name))
		default:
			meant[d.unknown(attr.NameRange, name, s, path)] = true
		}
	}
	first := make(map[string]hcl.Range)
	for _, nested := range b.Blocks {
		name := nested.Type
		block := s.block(name)
		before, again := first[name]
		if block != nil && !again {
			first[name] = nested.DefRange()
		}
		switch {
		case block == nil && s.attribute(name) != nil:
			meant[name] = true
			d.add(nested.TypeRange, fmt.Sprintf("%q is not a block", join(path, name)), fmt.Sprintf("write %s = …, %s", name, s.attribute(name).Type.wanted()))
		case block == nil:
			meant[d.unknown(nested.TypeRange, name, s, path)] = true
		case len(nested.Labels) > 0:
			d.add(nested.LabelRanges[0], fmt.Sprintf("the block %q takes no label", join(path, name)), fmt.Sprintf("write %s { … }", name))
		case again && !block.Repeated:
			d.add(nested.DefRange(), fmt.Sprintf("the block %q appears twice", join(path, name)), fmt.Sprintf("put its keys into the one at %s", d.doc.at(before)))
		case block.free:
		case block.Repeated:
			list, _ := values[name].([]any)
			if len(list) == maxList {
				d.add(nested.DefRange(), fmt.Sprintf("more than %d blocks %q", maxList, join(path, name)), "leave some out")
				return values
			}
			values[name] = append(list, d.body(nested.Body, block.Schema, join(path, name), nested.DefRange()))
		default:
			values[name] = d.body(nested.Body, block.Schema, join(path, name), nested.DefRange())
		}
	}
	for _, a := range s.Attributes {
		if a.Required && b.Attributes[a.Name] == nil && !meant[a.Name] {
			d.add(missing, fmt.Sprintf("%s is missing", join(path, a.Name)), doc(fmt.Sprintf("write %s = …, %s", a.Name, a.Type.wanted()), a.Doc))
		}
	}
	for _, block := range s.Blocks {
		if _, ok := first[block.Name]; block.Required && !ok && !meant[block.Name] {
			d.add(missing, fmt.Sprintf("the block %q is missing", join(path, block.Name)), doc(fmt.Sprintf("write %s { … }", block.Name), block.Doc))
		}
	}
	return values
}

// doc adds a description to advice.
func doc(advice, text string) string {
	if text == "" {
		return advice
	}
	return advice + ": " + text
}

// unknown reports a key, and returns the one that is meant, if one is near.
func (d *decoder) unknown(r hcl.Range, name string, s Schema, path string) (near string) {
	names := s.names()
	advice := "the keys are " + strings.Join(names, ", ")
	if near = nearest.Word(name, names); near != "" {
		advice = fmt.Sprintf("did you mean %q?", near)
	} else if len(names) == 0 {
		advice = "this block takes no keys"
	}
	d.add(r, fmt.Sprintf("unknown key %q", join(path, name)), advice)
	return near
}

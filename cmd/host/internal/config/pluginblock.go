package config

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/discv5/host/cmd/host/internal/nearest"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

var (
	label   = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)
	envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	digest  = regexp.MustCompile(`^[0-9a-fA-F]{64}$`)
)

// pluginBlock is a plugin block on its way to a Plugin.
type pluginBlock struct {
	decoder

	plugin *Plugin
	block  *hclsyntax.Block
}

// plugins reads the plugin blocks of a file, in its order. What cannot be together is left to together.
func plugins(doc *document, blocks hclsyntax.Blocks) ([]*Plugin, Problems) {
	var out []*Plugin
	var problems Problems
	for i, block := range blocks {
		if i == maxPlugins {
			problems = append(problems, doc.problem(block.DefRange(), fmt.Sprintf("more than %d plugins", maxPlugins), "leave some out"))
			break
		}
		b := &pluginBlock{decoder: decoder{doc: doc}, block: block}
		if b.labels() {
			b.read()
			out = append(out, b.plugin)
		}
		problems = append(problems, b.problems...)
	}
	return out, problems
}

// wrong adds a problem of the value of a key. It does not quote what file() returned.
func (b *pluginBlock) wrong(key string, r hcl.Range, what, advice string) {
	if b.hidden[key] {
		what, advice = key+": "+hiddenWrong, hiddenAdvice
	}
	b.add(r, what, advice)
}

// labels checks kind and name.
func (b *pluginBlock) labels() bool {
	const form = `write plugin "<kind>" "<name>" { … }`
	if n := len(b.block.Labels); n != 2 {
		b.add(b.block.DefRange(), fmt.Sprintf("a plugin has two labels, its kind and its name, and here the number is %d", n), form)
		return false
	}
	kind, name := b.block.Labels[0], b.block.Labels[1]
	if !slices.Contains(kinds, kind) {
		b.add(b.block.LabelRanges[0], fmt.Sprintf("%q is not a kind of plugin", kind), choose(kind, kinds))
	}
	if len(name) > maxLabel || !label.MatchString(name) {
		b.add(b.block.LabelRanges[1], fmt.Sprintf("%q cannot be the name of a plugin", name),
			fmt.Sprintf("use lower-case letters, digits, _ and -, a letter or digit first, %d at most", maxLabel))
	}
	if !slices.Contains(kinds, kind) {
		return false
	}
	b.plugin = newPlugin(kind, name)
	b.plugin.doc, b.plugin.Range = b.doc, b.block.DefRange()
	b.plugin.Config = &Body{Body: &hclsyntax.Body{}, Range: b.plugin.Range, doc: b.doc, path: "config"}
	return true
}

// choose is the advice for a word that is none of those known.
func choose(word string, known []string) string {
	if near := nearest.Word(word, known); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "use one of " + strings.Join(known, ", ")
}

// read decodes the block and checks every value.
func (b *pluginBlock) read() {
	p := b.plugin
	schema := pluginSchema(p.Kind)
	b.foreign(schema)
	values := b.body(b.block.Body, schema, "", p.Range)
	for name, attr := range b.block.Body.Attributes {
		p.Ranges[name] = attr.SrcRange
	}
	for _, nested := range b.block.Body.Blocks {
		if nested.Type == "config" {
			p.Config = &Body{Body: nested.Body, Range: nested.DefRange(), doc: b.doc, path: "config"}
			p.Ranges["config"] = nested.DefRange()
			break
		}
	}
	p.hidden = b.hidden
	take(values, "args", &p.Args)
	take(values, "env", &p.Env)
	take(values, "enabled", &p.Enabled)
	take(values, "required", &p.Required)
	take(values, "dry_run", &p.DryRun)
	take(values, "on_error", &p.OnError)
	b.source(values)
	b.sum(values)
	b.environment()
	p.Grants = b.words(values, "grants", grants)
	if p.Kind == Filter {
		p.Stages = b.words(values, "stages", stages)
		if !slices.Contains(onErr, p.OnError) {
			b.wrong("on_error", b.at("on_error"), fmt.Sprintf("on_error: %q is unknown", p.OnError), choose(p.OnError, onErr))
		}
		b.number(values, "order", &p.Order, -maxOrder, maxOrder)
	}
	if p.Kind == Talk {
		b.protocols(values)
	}
	b.deadline(values)
	b.number(values, "max_in_flight", &p.MaxInFlight, 1, maxInFlight)
	b.number(values, "max_per_peer", &p.MaxPerPeer, 1, maxInFlight)
	b.number(values, "max_queue", &p.MaxQueue, 1, maxQueue)
}

// foreign takes out the keys that other kinds have, and says so.
func (b *pluginBlock) foreign(own Schema) {
	for name, attr := range b.block.Body.Attributes {
		if own.attribute(name) != nil {
			continue
		}
		for _, kind := range kinds {
			if pluginSchema(kind).attribute(name) != nil {
				b.add(attr.NameRange, fmt.Sprintf("a %s plugin has no %q", b.plugin.Kind, name), fmt.Sprintf("it belongs into plugins of the kind %q", kind))
				delete(b.block.Body.Attributes, name)
				break
			}
		}
	}
}

// take moves a value that is there.
func take[T any](values map[string]any, name string, to *T) {
	if v, ok := values[name].(T); ok {
		*to = v
	}
}

// at is the place of a key's value.
func (b *pluginBlock) at(name string) hcl.Range {
	if attr := b.block.Body.Attributes[name]; attr != nil {
		return attr.Expr.Range()
	}
	return b.plugin.Range
}

// of is the place of an element of a key's list.
func (b *pluginBlock) of(name string, i int) hcl.Range {
	return element(b.block.Body.Attributes[name].Expr, i)
}

func (b *pluginBlock) source(values map[string]any) {
	text, ok := values["source"].(string)
	if !ok {
		return
	}
	name, builtin := strings.CutPrefix(text, builtinPrefix)
	switch {
	case builtin && !label.MatchString(name):
		b.wrong("source", b.at("source"), fmt.Sprintf("source: %q does not name a bundled plugin", text), `write it like "builtin:echo"`)
	case builtin:
		b.plugin.Source = text
	case text == "" || strings.ContainsRune(text, 0):
		b.wrong("source", b.at("source"), fmt.Sprintf("source: %q is not a path", text), `write "builtin:NAME", or the path of a program`)
	default:
		b.plugin.Source = expandHome(b.doc.relative(text))
	}
}

func (b *pluginBlock) sum(values map[string]any) {
	text, _ := values["sha256"].(string)
	_, builtin := b.plugin.Builtin()
	switch {
	case text == "":
	case !digest.MatchString(text):
		b.wrong("sha256", b.at("sha256"), fmt.Sprintf("sha256: %.70q is not a checksum", text), "write the 64 hex digits that sha256sum prints")
	case builtin:
		b.wrong("sha256", b.at("sha256"), "sha256: a bundled plugin is a part of host", "leave it out")
	default:
		b.plugin.SHA256 = strings.ToLower(text)
	}
}

func (b *pluginBlock) environment() {
	for i, arg := range b.plugin.Args {
		if strings.ContainsRune(arg, 0) {
			b.wrong("args", b.of("args", i), "args: an argument with a zero byte", "arguments are texts")
		}
	}
	for name, value := range b.plugin.Env {
		switch {
		case !envName.MatchString(name):
			b.wrong("env", entry(b.block.Body.Attributes["env"].Expr, name), fmt.Sprintf("env: %q is not the name of a variable", name), "use letters, digits and _, no digit first")
		case strings.ContainsRune(value, 0):
			b.wrong("env", entry(b.block.Body.Attributes["env"].Expr, name), fmt.Sprintf("env: the value of %s has a zero byte", name), "values are texts")
		}
	}
}

// words checks a list of words, each of which may appear once.
func (b *pluginBlock) words(values map[string]any, name string, known []string) []string {
	list, _ := values[name].([]string)
	out := []string{}
	for i, word := range list {
		switch {
		case !slices.Contains(known, word):
			b.wrong(name, b.of(name, i), fmt.Sprintf("%s: %q is unknown", name, word), choose(word, known))
		case slices.Contains(out, word):
			b.wrong(name, b.of(name, i), fmt.Sprintf("%s: %q appears twice", name, word), "leave one out")
		default:
			out = append(out, word)
		}
	}
	return out
}

func (b *pluginBlock) protocols(values map[string]any) {
	list, _ := values["protocols"].([]string)
	b.plugin.Protocols = []string{}
	for i, text := range list {
		id := text
		if digits, ok := strings.CutPrefix(text, "0x"); ok {
			raw, err := hex.DecodeString(digits)
			if err != nil {
				b.wrong("protocols", b.of("protocols", i), fmt.Sprintf("protocols: %q is not hex", text), "after 0x come pairs of hex digits; without 0x the id is taken as text")
				continue
			}
			id = string(raw)
		}
		switch {
		case id == "" || len(id) > maxProtocol:
			b.wrong("protocols", b.of("protocols", i), fmt.Sprintf("protocols: an id of %d bytes", len(id)), fmt.Sprintf("an id has 1 to %d bytes", maxProtocol))
		case slices.Contains(b.plugin.Protocols, id):
			b.wrong("protocols", b.of("protocols", i), fmt.Sprintf("protocols: %q appears twice", text), "leave one out")
		default:
			b.plugin.Protocols = append(b.plugin.Protocols, id)
		}
	}
}

func (b *pluginBlock) deadline(values map[string]any) {
	text, ok := values["deadline"].(string)
	if !ok {
		return
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < minDeadline || d > maxDeadline {
		b.wrong("deadline", b.at("deadline"), fmt.Sprintf("deadline: %q is out of range", text), fmt.Sprintf("use a value from %v to 1m", minDeadline))
		return
	}
	b.plugin.Deadline = d
}

func (b *pluginBlock) number(values map[string]any, name string, to *int, low, high int64) {
	n, ok := values[name].(int64)
	if !ok {
		return
	}
	if n < low || n > high {
		b.wrong(name, b.at(name), fmt.Sprintf("%s: %d is out of range", name, n), fmt.Sprintf("use a value from %d to %d", low, high))
		return
	}
	*to = int(n)
}

// conflicts applies the rules over several blocks.
func conflicts(all []*Plugin, report func(*Plugin, Problem)) {
	var store *Plugin
	owner := make(map[string]*Plugin)
	for _, p := range all {
		if !p.Enabled {
			continue
		}
		if p.Kind == Store {
			if store != nil {
				report(p, p.Problem("", fmt.Sprintf("store %q is a second enabled store", p.Name),
					fmt.Sprintf("write enabled = false here or in store %q at %s", store.Name, store.Where(""))))
			} else {
				store = p
			}
		}
		for _, id := range p.Protocols {
			if first := owner[id]; first != nil {
				report(p, p.Problem("protocols", fmt.Sprintf("protocols: plugin %q already serves %q", first.Name, id),
					fmt.Sprintf("a protocol belongs to one plugin; the other one is at %s", first.Where("protocols"))))
			} else {
				owner[id] = p
			}
		}
	}
}

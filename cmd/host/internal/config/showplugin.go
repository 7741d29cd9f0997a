package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// settings are the keys of the block, in the order of the reference.
func (p *Plugin) settings() []Setting {
	prefix := "plugin." + p.Kind + "." + p.Name + "."
	var all []Setting
	add := func(key, of string, value any, secret bool) {
		from := "default"
		if _, ok := p.Ranges[of]; ok {
			from = p.Where(of)
		}
		all = append(all, newSetting(prefix+key, value, from, secret))
	}
	values := p.values()
	for _, a := range pluginSchema(p.Kind).Attributes {
		value := values[a.Name]
		if table, ok := value.(map[string]string); ok && len(table) > 0 {
			for _, key := range slices.Sorted(maps.Keys(table)) {
				add(a.Name+"."+key, a.Name, table[key], p.hidden[a.Name+"."+key] || secretLike(key, table[key]))
			}
			continue
		} else if ok {
			value = map[string]any{}
		}
		if list, ok := value.([]string); ok {
			elems := make([]any, len(list))
			for i, text := range list {
				if elems[i] = text; p.hidden[fmt.Sprintf("%s.%d", a.Name, i)] || secretLike(argumentName(list, i), text) {
					elems[i] = hiddenText(text)
				}
			}
			add(a.Name, a.Name, elems, false)
			continue
		}
		add(a.Name, a.Name, value, p.hidden[a.Name])
	}
	return append(all, p.Config.settings(prefix+"config.")...)
}

// argumentName is what a program may take the argument i for: NAME of --NAME=value, or of --NAME before it.
func argumentName(args []string, i int) string {
	if name, _, ok := strings.Cut(args[i], "="); ok {
		return name
	}
	if i > 0 && strings.HasPrefix(args[i-1], "-") {
		return args[i-1]
	}
	return ""
}

// values are the keys by name, each a string, a bool, an int, a []string or a map[string]string.
func (p *Plugin) values() map[string]any {
	protocols := make([]string, len(p.Protocols))
	for i, id := range p.Protocols {
		protocols[i] = ProtocolText(id)
	}
	return map[string]any{
		"source": p.Source, "args": p.Args, "sha256": p.SHA256, "env": p.Env, "enabled": p.Enabled, "required": p.Required, "grants": p.Grants,
		"deadline": durationText(p.Deadline), "max_in_flight": p.MaxInFlight, "max_per_peer": p.MaxPerPeer, "max_queue": p.MaxQueue,
		"protocols": protocols, "stages": p.Stages, "order": p.Order, "on_error": p.OnError, "dry_run": p.DryRun,
	}
}

// ProtocolText is a protocol id as it stands in a file: its text, or 0x and hex.
func ProtocolText(id string) string {
	if strings.HasPrefix(id, "0x") || strings.IndexFunc(id, func(r rune) bool { return r >= unicode.MaxASCII || !unicode.IsPrint(r) }) >= 0 {
		return fmt.Sprintf("0x%x", id)
	}
	return id
}

// settings evaluates what stands in a config block, without knowing what may. A value that has the look of a secret is taken for one.
func (b *Body) settings(prefix string) []Setting {
	body, ok := b.Body.(*hclsyntax.Body)
	if !ok || b.doc == nil {
		return nil
	}
	return b.block(body, prefix)
}

func (b *Body) block(body *hclsyntax.Body, prefix string) (all []Setting) {
	for _, attr := range sorted(body.Attributes) {
		where := b.doc.at(attr.SrcRange)
		v, diags := attr.Expr.Value(b.doc.eval)
		plain, hidden := reveal(v)
		if diags.HasErrors() || !plain.IsWhollyKnown() {
			all = append(all, Setting{Key: prefix + attr.Name, Value: json.RawMessage("null"), Text: "(a mistake, see host validate)", Source: where})
			continue
		}
		value := decoded(plain)
		all = append(all, newSetting(prefix+attr.Name, value, where, hidden || looksSecret(attr.Name, value)))
	}
	for i, nested := range body.Blocks {
		name := nested.Type
		if n := count(body.Blocks[:i], name); n > 0 || count(body.Blocks, name) > 1 {
			name = fmt.Sprintf("%s[%d]", name, n)
		}
		all = append(all, b.block(nested.Body, prefix+name+".")...)
	}
	return all
}

func count(blocks hclsyntax.Blocks, name string) (n int) {
	for _, b := range blocks {
		if b.Type == name {
			n++
		}
	}
	return n
}

// decoded is a value without tags in the types of JSON.
func decoded(v cty.Value) any {
	text, err := ctyjson.Marshal(v, v.Type())
	if err != nil {
		return nil
	}
	var value any
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	if d.Decode(&value) != nil {
		return nil
	}
	return value
}

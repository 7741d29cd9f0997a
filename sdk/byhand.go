package sdk

import (
	"fmt"
	"strings"

	"github.com/discv5/host/sdk/pluginpb"
)

// byHand is what a plugin says that was started by hand: what it is, how it is enabled, and what is wrong with it, if anything.
func byHand(p Plugin, path string) string {
	d, err := description(p)
	var b strings.Builder
	name := strings.TrimSpace(d.GetName() + " " + d.GetVersion())
	fmt.Fprintf(&b, "%s is a %s plugin of the discv5 host.\n", name, p.kind())
	if d.GetSummary() != "" {
		fmt.Fprintf(&b, "%s\n", d.GetSummary())
	}
	if err != nil {
		fmt.Fprintf(&b, "\nIt is badly made:\n")
		for line := range strings.Lines(err.Error()) {
			fmt.Fprintf(&b, "  %s\n", strings.TrimRight(line, "\n"))
		}
		return b.String()
	}
	b.WriteString("The host starts it; it does nothing by hand. To enable it, add this to config.hcl:\n\n")
	fmt.Fprintf(&b, "plugin %q %q {\n  source = %q\n", p.kind(), label(d.GetName()), path)
	if len(d.GetNeeds()) > 0 {
		fmt.Fprintf(&b, "  grants = [%s]\n", quoted(d.GetNeeds()))
	}
	if len(d.GetConfig().GetAttributes())+len(d.GetConfig().GetBlocks()) > 0 {
		b.WriteString("  config {\n")
		writeSchema(&b, d.GetConfig(), "    ")
		b.WriteString("  }\n")
	}
	fmt.Fprintf(&b, "}\n\nTo try it: host plugin test %s\n", path)
	return b.String()
}

// label makes the label of a block of a program's name.
func label(name string) string {
	l := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '_', r == '-':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '-'
	}, name)
	if l = strings.TrimLeft(l, "-_"); l == "" {
		return "plugin"
	}
	return l
}

func quoted(list []string) string {
	var out []string
	for _, s := range list {
		out = append(out, fmt.Sprintf("%q", s))
	}
	return strings.Join(out, ", ")
}

// writeSchema writes the arguments of a block: those that must be there with a value to replace, the others as comments with
// their defaults.
func writeSchema(b *strings.Builder, s *pluginpb.ConfigSchema, indent string) {
	for _, a := range s.GetAttributes() {
		mark, value := "# ", a.GetDefaultJson()
		if a.GetRequired() {
			mark, value = "", example(a.GetType())
		}
		if value == "" {
			value = example(a.GetType())
		}
		fmt.Fprintf(b, "%s%s%s = %s%s\n", indent, mark, a.GetName(), value, comment(a.GetDoc()))
	}
	for _, block := range s.GetBlocks() {
		if !block.GetRequired() {
			fmt.Fprintf(b, "%s# %s { … }%s\n", indent, block.GetName(), comment(block.GetDoc()))
			continue
		}
		fmt.Fprintf(b, "%s%s {%s\n", indent, block.GetName(), comment(block.GetDoc()))
		writeSchema(b, block.GetSchema(), indent+"  ")
		fmt.Fprintf(b, "%s}\n", indent)
	}
}

func comment(doc string) string {
	if doc == "" {
		return ""
	}
	return " # " + strings.Join(strings.Fields(doc), " ")
}

func example(t pluginpb.ConfigType) string {
	switch t {
	case pluginpb.ConfigType_CONFIG_TYPE_INT, pluginpb.ConfigType_CONFIG_TYPE_FLOAT:
		return "0"
	case pluginpb.ConfigType_CONFIG_TYPE_BOOL:
		return "false"
	case pluginpb.ConfigType_CONFIG_TYPE_DURATION:
		return `"1s"`
	case pluginpb.ConfigType_CONFIG_TYPE_STRING_LIST:
		return "[]"
	case pluginpb.ConfigType_CONFIG_TYPE_STRING_MAP:
		return "{}"
	}
	return `""`
}

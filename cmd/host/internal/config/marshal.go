package config

import (
	"fmt"
	"strconv"
	"strings"
)

// Marshal writes values, in the form Unmarshal returns them, as HCL in the order of the schema. Keys that the schema does
// not have are an error.
func (p *parser) Marshal(values map[string]any) ([]byte, error) {
	var b strings.Builder
	if err := marshal(&b, "", p.schema, values); err != nil {
		return nil, err
	}
	return []byte(b.String()), nil
}

func marshal(b *strings.Builder, indent string, s *schema, values map[string]any) error {
	for name := range values {
		if s.leaves[name] == nil && s.blocks[name] == nil {
			return fmt.Errorf("unknown key %q", join(s.path, name))
		}
	}
	for _, name := range s.names {
		v, ok := values[name]
		if !ok {
			continue
		}
		if inner, ok := v.(map[string]any); ok && s.blocks[name] != nil {
			fmt.Fprintf(b, "%s%s {\n", indent, name)
			if err := marshal(b, indent+"  ", s.blocks[name], inner); err != nil {
				return err
			}
			fmt.Fprintf(b, "%s}\n", indent)
			continue
		}
		text, err := expression(v)
		if err != nil {
			return fmt.Errorf("%s: %w", join(s.path, name), err)
		}
		fmt.Fprintf(b, "%s%s = %s\n", indent, name, text)
	}
	return nil
}

func expression(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return quote(v), nil
	case bool:
		return strconv.FormatBool(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case []any:
		parts := make([]string, len(v))
		for i, elem := range v {
			text, err := expression(elem)
			if err != nil {
				return "", err
			}
			parts[i] = text
		}
		return "[" + strings.Join(parts, ", ") + "]", nil
	}
	return "", fmt.Errorf("a value of type %T", v)
}

// quote writes a quoted template that evaluates to s ("Template Expressions" in HCL's syntax specification).
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case (r == '$' || r == '%') && strings.HasPrefix(s[i+1:], "{"):
			b.WriteRune(r)
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, "\\u%04x", r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

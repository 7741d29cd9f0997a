package process

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/go-hclog"
)

const (
	maxPairs = 32
	maxKey   = 64
	maxValue = 512
)

// entry is a line that a plugin wrote, as the log takes it. None of its texts contains control characters.
type entry struct {
	level   hclog.Level
	message string
	args    []any // keys and values
	dying   bool  // the line begins a panic
}

// text is the entry as people read it.
func (e entry) text() string {
	if len(e.args) == 0 {
		return e.message
	}
	var s strings.Builder
	s.WriteString(e.message)
	for i := 0; i+1 < len(e.args); i += 2 {
		fmt.Fprintf(&s, " %s=%s", e.args[i], e.args[i+1])
	}
	return s.String()
}

// parseEntry makes an entry of any line. JSON as hclog writes it keeps its level and its pairs, whatever their types are.
func parseEntry(line []byte, stdout, dying bool) entry {
	if e, ok := parseJSON(line); ok && !stdout {
		return e
	}
	e := entry{level: hclog.Info, message: clean(line, maxText)}
	switch {
	case stdout:
		e.level = hclog.Debug
	case panics(e.message):
		e.level, e.dying = hclog.Error, true
	case dying:
		e.level = hclog.Error
	default:
		if level, _, ok := strings.Cut(strings.TrimPrefix(e.message, "["), "]"); ok && e.message[0] == '[' {
			if l := hclog.LevelFromString(strings.TrimSpace(level)); l != hclog.NoLevel {
				e.level = min(l, hclog.Error)
			}
		}
	}
	return e
}

func parseJSON(line []byte) (entry, bool) {
	if line = bytes.TrimSpace(line); len(line) == 0 || line[0] != '{' {
		return entry{}, false
	}
	var pairs map[string]json.RawMessage
	if json.Unmarshal(line, &pairs) != nil {
		return entry{}, false
	}
	raw, ok := pairs["@message"]
	if !ok {
		return entry{}, false
	}
	e := entry{level: hclog.Info, message: jsonText(raw, maxText)}
	if l := hclog.LevelFromString(jsonText(pairs["@level"], maxKey)); l != hclog.NoLevel {
		e.level = min(l, hclog.Error)
	}
	if module := jsonText(pairs["@module"], maxKey); module != "" {
		e.args = append(e.args, "module", module)
	}
	keys := make([]string, 0, len(pairs))
	for k := range pairs {
		if !strings.HasPrefix(k, "@") && k != "plugin" {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	left := maxText - len(e.message)
	for i, k := range keys {
		key, value := cleanKey(k), jsonText(pairs[k], maxValue)
		if left -= len(key) + len(value) + 2; i == maxPairs || left < 0 {
			e.args = append(e.args, "more", len(keys)-i)
			break
		}
		e.args = append(e.args, key, value)
	}
	return e, true
}

// jsonText is the text of a string, or the JSON of anything else.
func jsonText(raw json.RawMessage, limit int) string {
	var s string
	if len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &s) == nil {
		return clean([]byte(s), limit)
	}
	return clean(raw, limit)
}

// clean makes a text that is safe to print: valid UTF-8, control characters escaped, at most limit bytes and a mark where
// something is missing.
func clean(b []byte, limit int) string {
	cut := len(b) > limit
	if cut {
		b = b[:limit]
	}
	bad := func(r rune) bool {
		return r != '\t' && (unicode.IsControl(r) || r == utf8.RuneError || !unicode.IsPrint(r) && r != ' ')
	}
	s := strings.TrimSpace(strings.ToValidUTF8(string(b), "\uFFFD"))
	if strings.ContainsFunc(s, bad) {
		var safe strings.Builder
		for _, r := range s {
			if bad(r) && r != utf8.RuneError {
				quoted := strconv.QuoteRuneToASCII(r)
				safe.WriteString(quoted[1 : len(quoted)-1])
			} else {
				safe.WriteRune(r)
			}
		}
		if s = safe.String(); len(s) > limit {
			s, cut = strings.ToValidUTF8(s[:limit], ""), true
		}
	}
	if cut {
		s += "…"
	}
	return s
}

// cleanKey makes a key that cannot be mistaken for anything else in a log.
func cleanKey(k string) string {
	k = strings.Map(func(r rune) rune {
		if r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_.-", r)) {
			return r
		}
		return '_'
	}, k)
	if k == "" {
		k = "_"
	}
	return k[:min(len(k), maxKey)]
}

package fields

import (
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/rlp"
)

// maxDepth bounds how deep nested lists are shown as lists; deeper ones are shown as hex.
const maxDepth = 4

// hexString returns 0x and the hex digits of b.
func hexString(b []byte) string { return "0x" + hex.EncodeToString(b) }

// quote makes text of a stranger safe for a terminal, a log line and a table: quoted, ASCII,
// everything else escaped.
func quote(s string) string { return strconv.QuoteToASCII(s) }

// display returns a key as it is when it is made of letters, digits, '_', '-' and '.', and
// quoted otherwise.
func display(key string) string {
	for _, c := range []byte(key) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-', c == '.':
		default:
			return quote(key)
		}
	}
	if key == "" {
		return `""`
	}
	return key
}

// printable reports whether b is non-empty ASCII text without control characters.
func printable(b []byte) bool {
	for _, c := range b {
		if c < 0x20 || c > 0x7e {
			return false
		}
	}
	return len(b) > 0
}

// bytesText shows bytes of unknown meaning: as quoted text where they are printable, else as hex.
func bytesText(b []byte) string {
	switch {
	case len(b) == 0:
		return "empty"
	case printable(b):
		return quote(string(b))
	}
	return hexString(b)
}

// rlpText shows a value of unknown meaning, lists as [a, b].
func rlpText(raw []byte, depth int) (string, error) {
	kind, content, rest, err := rlp.Split(raw)
	if err != nil {
		return "", err
	}
	if len(rest) > 0 {
		return "", rlp.ErrMoreThanOneValue
	}
	if kind != rlp.List {
		return bytesText(content), nil
	}
	if depth >= maxDepth {
		return hexString(raw), nil
	}
	var parts []string
	for len(content) > 0 {
		_, _, rest, err := rlp.Split(content)
		if err != nil {
			return "", err
		}
		s, err := rlpText(content[:len(content)-len(rest)], depth+1)
		if err != nil {
			return "", err
		}
		parts = append(parts, s)
		content = rest
	}
	return "[" + strings.Join(parts, ", ") + "]", nil
}

package config

import (
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/zclconf/go-cty/cty"
)

// Bounds of a Secret, in bytes.
const (
	minSecret = 16
	maxSecret = 1024
)

// Secret is a text that appears in no output: empty, or 16 to 1024 printable ASCII characters without spaces. fmt, JSON and logs
// show its length alone.
type Secret string

// Reveal returns the text itself.
func (s Secret) Reveal() string { return string(s) }

// String says how long the secret is.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return fmt.Sprintf("(secret, %d bytes)", len(s))
}

// Format writes String, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText is String: what is written out is not to be read back.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText checks the text. Its errors do not quote it.
func (s *Secret) UnmarshalText(text []byte) error {
	const advice = "the output of `openssl rand -hex 32` is a good one; keep it in a file and write file(\"path\")"
	switch {
	case len(text) == 0:
	case len(text) < minSecret:
		return hint.New(fmt.Sprintf("a secret of %d bytes, and %d is the least", len(text), minSecret), advice)
	case len(text) > maxSecret:
		return hint.New(fmt.Sprintf("a secret of %d bytes, and %d is the most", len(text), maxSecret), advice)
	case strings.IndexFunc(string(text), func(r rune) bool { return r <= ' ' || r > '~' }) >= 0:
		return hint.New("a secret with a space, or with characters outside of ASCII", advice)
	}
	*s = Secret(text)
	return nil
}

// mark tags values that must not be shown.
type mark string

// fromFile tags what the function file returned, and what was made of it.
const fromFile mark = "from file()"

// reveal returns a value without the tags on it, and whether there were any, also within it.
func reveal(v cty.Value) (plain cty.Value, hidden bool) {
	plain, marks := v.UnmarkDeep()
	return plain, len(marks) > 0
}

// What is said of a hidden value that is wrong, in place of what would quote it.
const (
	hiddenWrong  = "the text that file() read is no value for it"
	hiddenAdvice = "look into that file; host config reference tells what is wanted"
)

// Names that people give to secrets, what assigns a value to one, and values that stand elsewhere.
var (
	secretName   = regexp.MustCompile(`(?i)(token|passw|passphrase|secret|credential|(api|private|access)_?-?key)`)
	secretAssign = regexp.MustCompile(`(?i)[\w-]*` + secretName.String() + `[\w-]*"?\s*[=:]\s*`)
	indirect     = regexp.MustCompile(`^(file|env)\s*\(\s*"[^"]*"\s*\)\s*[,}\]]*\s*(#.*)?$`)
)

// withoutSecrets cuts a line where the value of something begins that has the name of a secret, unless that value stands elsewhere.
func withoutSecrets(line string) string {
	at := secretAssign.FindStringIndex(line)
	if at == nil || at[1] == len(line) || indirect.MatchString(line[at[1]:]) {
		return line
	}
	return line[:at[1]] + "…"
}

// withPassword matches an address that carries a password.
var withPassword = regexp.MustCompile(`://[^/\s]*:[^/\s]*@`)

// secretLike tells whether a text is shown as a secret because of its name, or because there is a password in it.
func secretLike(name, text string) bool {
	return text != "" && (secretName.MatchString(name) || withPassword.MatchString(text))
}

// looksSecret is secretLike for a value of any type.
func looksSecret(name string, value any) bool {
	switch x := value.(type) {
	case string:
		return secretLike(name, x)
	case []any:
		for _, elem := range x {
			if looksSecret(name, elem) {
				return true
			}
		}
	case map[string]any:
		for key, elem := range x {
			if looksSecret(name, elem) || looksSecret(key, elem) {
				return true
			}
		}
	}
	return false
}

package sdk

import "strings"

// valid returns text as protobuf takes it.
func valid(text string) string { return strings.ToValidUTF8(text, "\ufffd") }

// clip returns valid text of at most n bytes.
func clip(text string, n int) string {
	if text = valid(text); len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "")
}

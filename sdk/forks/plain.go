package forks

import (
	"fmt"
	"strings"
)

// maxBraces bounds how deep blocks stand in each other.
const maxBraces = 8

// plain refuses what schedules have no use for: all of HCL but blocks, text, whole numbers and
// comments. Its parser calls itself for brackets and operators, without a bound.
func plain(name string, src []byte) error {
	line, depth := 1, 0
	for i := 0; i < len(src); i++ {
		rest := string(src[i:min(len(src), i+2)])
		switch c := src[i]; {
		case c == '\n':
			line++
		case c == '#' || rest == "//":
			for i+1 < len(src) && src[i+1] != '\n' {
				i++
			}
		case c == '"':
			end := textEnd(src, i+1)
			if end < 0 {
				return fmt.Errorf("%s:%d: text without an end, or with \\, ${ or %%{", name, line)
			}
			i = end
		case c == '{':
			if depth++; depth > maxBraces {
				return fmt.Errorf("%s:%d: more than %d blocks in each other", name, line, maxBraces)
			}
		case c == '}':
			depth--
		case rest == "--" || strings.IndexByte(`()[]!?$%&|<>*/+~':;\`, c) >= 0:
			return fmt.Errorf("%s:%d: %q is not for schedules: they have blocks, text and whole numbers", name, line, c)
		}
	}
	return nil
}

// textEnd returns where the closing quote stands; -1 if there is none on the line, or before it
// something that is more than text.
func textEnd(src []byte, i int) int {
	for ; i < len(src); i++ {
		switch c := src[i]; {
		case c == '"':
			return i
		case c == '\n' || c == '\\' || (c == '$' || c == '%') && i+1 < len(src) && src[i+1] == '{':
			return -1
		}
	}
	return -1
}

package expr

// "in" is an operator of CEL and no name, so that ip.in("10.0.0.0/8") does not parse. Text on its
// way to the parser has a name of the same length in its place, which keeps all positions; messages
// and shown text have it back.

// toCEL replaces "in" where it is the name of a function of a value.
func toCEL(text string) string {
	out := []byte(text)
	for i := 0; i < len(out); {
		switch {
		case out[i] == '"' || out[i] == '\'':
			i = afterString(text, i)
		case out[i] == '/' && i+1 < len(out) && out[i+1] == '/':
			for i < len(out) && out[i] != '\n' {
				i++
			}
		case out[i] == '.':
			at := afterSpace(text, i+1)
			if end := at + len(nameIn); end <= len(out) && text[at:end] == "in" {
				if open := afterSpace(text, end); open < len(out) && out[open] == '(' {
					copy(out[at:], nameIn)
				}
			}
			i++
		default:
			i++
		}
	}
	return string(out)
}

// afterString returns where the string that begins at i ends. Raw strings, r"…", differ in that a
// backslash escapes nothing.
func afterString(text string, i int) int {
	raw := i > 0 && (text[i-1] == 'r' || text[i-1] == 'R') ||
		i > 1 && (text[i-2] == 'r' || text[i-2] == 'R') && (text[i-1] == 'b' || text[i-1] == 'B')
	quote := text[i : i+1]
	if i+3 <= len(text) && text[i:i+3] == quote+quote+quote {
		quote = text[i : i+3]
	}
	for i += len(quote); i < len(text); i++ {
		switch {
		case text[i] == '\\' && !raw:
			i++
		case i+len(quote) <= len(text) && text[i:i+len(quote)] == quote:
			return i + len(quote)
		}
	}
	return len(text)
}

func afterSpace(text string, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\t' || text[i] == '\n' || text[i] == '\r' || text[i] == '\f') {
		i++
	}
	return i
}

package admin

import "iter"

// marks finds what structures valid JSON: the place of every bracket, brace and comma that is in no text, and in how many lists and objects
// it is. Brackets and braces count for what is around them. To look before decoding costs no memory.
func marks(text []byte) iter.Seq2[int, int] {
	return func(yield func(at, depth int) bool) {
		depth, quoted := 0, false
		for i := 0; i < len(text); i++ {
			switch c := text[i]; {
			case quoted && c == '\\':
				i++
			case c == '"':
				quoted = !quoted
			case quoted:
			case c == '[', c == '{':
				if !yield(i, depth) {
					return
				}
				depth++
			case c == ']', c == '}':
				depth--
				if !yield(i, depth) {
					return
				}
			case c == ',':
				if !yield(i, depth) {
					return
				}
			}
		}
	}
}

// elements are the values of a list in valid JSON, which begins with its bracket, as parts of the text; of more than most, the first most+1.
func elements(text []byte, most int) (all [][]byte) {
	begin := 1
	for i, depth := range marks(text) {
		switch {
		case i == 0:
		case depth == 1 && text[i] == ',', depth == 0:
			all = append(all, text[begin:i])
			begin = i + 1
		}
		if len(all) > most {
			return all
		}
	}
	if len(all) == 1 && isBlank(all[0]) {
		return nil
	}
	return all
}

func isBlank(text []byte) bool {
	for _, c := range text {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return false
		}
	}
	return true
}

// values counts the marks of valid JSON: it has no more values than that and one, however they are nested.
func values(text []byte) (count int) {
	for range marks(text) {
		count++
	}
	return count
}

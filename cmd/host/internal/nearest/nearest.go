package nearest

import "strings"

// maxWord bounds the bytes of words that are compared.
const maxWord = 64

// Word is the known word that text may have been meant for, in capitals or not, or "" when none is near enough: a third of the text may be
// wrong.
func Word(text string, known []string) string {
	return Within(text, known, (min(len(text), 24)+2)/3)
}

// Within is Word with a number of mistakes that are forgiven.
func Within(text string, known []string, mistakes int) string {
	best := ""
	for _, word := range known {
		if d := distance(strings.ToLower(text), strings.ToLower(word)); d <= mistakes && d < len(word) {
			best, mistakes = word, d-1
		}
	}
	return best
}

// distance counts the insertions, deletions, changes and swaps of neighbours that turn a into b, bytewise. Words longer than
// maxWord are as far from everything as they are long.
func distance(a, b string) int {
	if len(a) > maxWord || len(b) > maxWord {
		return max(len(a), len(b))
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := last[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(change, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

package admin

import "strings"

// nearest returns the known word that text may have been meant for, or "".
func nearest(text string, known []string) string {
	best, within := "", (min(len(text), 24)+2)/3
	for _, word := range known {
		if d := distance(strings.ToLower(text), strings.ToLower(word)); d <= within && d < len(word) {
			best, within = word, d-1
		}
	}
	return best
}

// distance counts the bytes to insert, delete or change that make b of a. What is longer than 64 bytes is far from everything.
func distance(a, b string) int {
	const longest = 64
	if len(a) > longest || len(b) > longest {
		return max(len(a), len(b))
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := diagonal
			if a[i-1] != b[j-1] {
				change++
			}
			diagonal = row[j]
			row[j] = min(change, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}

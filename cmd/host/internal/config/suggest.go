package config

// suggest returns the known word nearest to text, or "" when none is near enough to be meant.
func suggest(text string, known []string) string {
	return nearest(text, known, (min(len(text), 24)+2)/3)
}

func nearest(text string, known []string, within int) string {
	best := ""
	for _, word := range known {
		if d := distance(text, word); d <= within && d < len(word) {
			best, within = word, d-1
		}
	}
	return best
}

// distance counts the insertions, deletions, changes and swaps of neighbours that turn a into b, bytewise. Words longer
// than 64 bytes are as far from everything as they are long.
func distance(a, b string) int {
	const longest = 64
	if len(a) > longest || len(b) > longest {
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

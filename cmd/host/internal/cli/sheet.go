package cli

import (
	"bytes"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// sheet is a table for people: a line of titles, and rows below.
type sheet struct{ rows [][]string }

func newSheet(titles ...string) *sheet { return &sheet{rows: [][]string{titles}} }

// add adds a row; cells that it does not have are empty.
func (s *sheet) add(cells ...string) {
	for len(cells) < len(s.rows[0]) {
		cells = append(cells, "") // a short row would end the columns
	}
	s.rows = append(s.rows, cells)
}

// print prints the table, or in place of one without rows what to say then.
func (s *sheet) print(w io.Writer, empty string) error {
	if len(s.rows) == 1 {
		_, err := fmt.Fprintln(w, empty)
		return err
	}
	var text bytes.Buffer
	tw := tabwriter.NewWriter(&text, 0, 8, 2, ' ', 0)
	for _, cells := range s.rows {
		for i, c := range cells {
			if i > 0 {
				_, _ = io.WriteString(tw, "\t") // a buffer takes all
			}
			_, _ = io.WriteString(tw, plain(c))
		}
		_, _ = io.WriteString(tw, "\n")
	}
	_ = tw.Flush()
	var out strings.Builder
	for line := range strings.Lines(text.String()) {
		out.WriteString(strings.TrimRight(line, " \n"))
		out.WriteByte('\n')
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// dash is text, or a dash for none.
func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// span is a time span for people, in its two largest units.
func span(d time.Duration) string {
	d = max(d, 0)
	days := int(d / (24 * time.Hour))
	switch {
	case days > 0:
		return fmt.Sprintf("%dd %dh", days, int(d/time.Hour)%24)
	case d >= time.Hour:
		return fmt.Sprintf("%dh %dm", int(d/time.Hour), int(d/time.Minute)%60)
	case d >= time.Minute:
		return fmt.Sprintf("%dm %ds", int(d/time.Minute), int(d/time.Second)%60)
	}
	return fmt.Sprintf("%ds", int(d/time.Second))
}

// ago is how long ago something was; "never" for the zero time.
func ago(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return span(time.Since(t)) + " ago"
}

// size is a number of bytes for people.
func size[T ~int64 | ~uint64](n T) string {
	units := []string{"B", "kB", "MB", "GB", "TB"}
	v, i := float64(n), 0
	for v >= 1000 && i < len(units)-1 {
		v /= 1000
		i++
	}
	if i == 0 {
		return fmt.Sprintf("%d B", uint64(n))
	}
	return fmt.Sprintf("%.1f %s", v, units[i])
}

// count is a number with its noun, in the plural where that is right.
func count[T ~int | ~uint64](n T, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// sortedCounts goes through counts in the order of their names.
func sortedCounts(counts map[string]uint64) iter.Seq2[string, uint64] {
	return func(yield func(string, uint64) bool) {
		for _, name := range slices.Sorted(maps.Keys(counts)) {
			if !yield(name, counts[name]) {
				return
			}
		}
	}
}

package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/sdk/fields"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/spf13/cobra"
)

const (
	maxRecordLine = 1 << 20 // bytes of a line
	siftBatch     = 256     // records that are asked about at a time
	recordPrefix  = "enr:"
	byteOrderMark = "\ufeff" // which some editors write at the begin of a file
)

// sums are what host filter test counts.
type sums struct {
	Records  int            `json:"records"`
	Passed   int            `json:"passed"`
	Rejected int            `json:"rejected"`
	Invalid  int            `json:"invalid"` // no filter was asked about them
	Skipped  int            `json:"skipped"` // lines without a record
	Reasons  map[string]int `json:"reasons"` // of those that were rejected
}

// sifted is one record, for people and machines.
type sifted struct {
	Line     int    `json:"line"`
	NodeID   string `json:"nodeId,omitempty"`
	Passes   bool   `json:"passes"`
	Decision string `json:"decision"` // accept, reject, abstain or invalid
	Reason   string `json:"reason,omitempty"`
	Detail   string `json:"detail,omitempty"`
}

// sift reads records and has a filter decide about them.
func (f *filterTest) sift(cmd *cobra.Command, in io.Reader, decide decider) error {
	out := bufio.NewWriter(cmd.OutOrStdout())
	s := sums{Reasons: make(map[string]int)}
	var nodes []*enode.Node
	var places []int
	flush := func() error {
		if len(nodes) == 0 {
			return nil
		}
		said, err := decide(nodes)
		if err != nil {
			return err
		}
		for i, j := range said {
			s.count(j)
			if err := f.show(out, sifted{places[i], programID(nodes[i].ID()), j.accepted, j.decision, j.reason, j.detail}); err != nil {
				return err
			}
		}
		nodes, places = nodes[:0], places[:0]
		return out.Flush()
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 4096), maxRecordLine)
	for number := 1; lines.Scan(); number++ {
		if err := cmd.Context().Err(); err != nil {
			return errors.New("test the filter: interrupted")
		}
		before := s.Records
		for text := range recordsIn(lines.Text()) {
			s.Records++
			n, err := fields.Parse(text)
			if err != nil {
				s.Invalid++
				if err := flush(); err != nil { // what is shown keeps the order of the lines
					return err
				}
				if err := f.show(out, sifted{Line: number, Decision: "invalid", Detail: err.Error()}); err != nil {
					return err
				}
				continue
			}
			if nodes, places = append(nodes, n), append(places, number); len(nodes) == siftBatch {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		if s.Records == before {
			s.Skipped++
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return hint.New("read the records: a line has more than 1 MiB", "write a record in a line; jq -c '.[]' does that to a list in JSON")
	case err != nil:
		return fmt.Errorf("read the records: %w", err)
	}
	if err := flush(); err != nil {
		return err
	}
	if s.Records == 0 {
		fmt.Fprintln(cmd.ErrOrStderr(), "note: no line has a record in it, which begins with enr:, so the filter was not asked")
	}
	if err := f.total(out, s); err != nil {
		return err
	}
	return out.Flush()
}

// recordsIn returns the records in a line.
func recordsIn(line string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if strings.HasPrefix(strings.TrimSpace(strings.TrimPrefix(line, byteOrderMark)), "#") {
			return
		}
		for {
			_, rest, found := strings.Cut(line, recordPrefix)
			if !found {
				return
			}
			end := strings.IndexFunc(rest, func(r rune) bool { return strings.ContainsRune(" \t\r\"',;<>)]}", r) })
			if end < 0 {
				end = len(rest)
			}
			if !yield(recordPrefix + rest[:end]) {
				return
			}
			line = rest[end:]
		}
	}
}

func (s *sums) count(j judgement) {
	if j.accepted {
		s.Passed++
		return
	}
	s.Rejected++
	s.Reasons[j.reason]++
}

// show prints one record, when that is asked for.
func (f *filterTest) show(w io.Writer, one sifted) error {
	if !f.verbose {
		return nil
	}
	if f.json {
		return printLine(w, one)
	}
	line := fmt.Sprintf("%5d  %-7s  %-64s  %s  %s", one.Line, one.Decision, dash(peopleID(one.NodeID)), plain(one.Reason), plain(one.Detail))
	_, err := fmt.Fprintln(w, strings.TrimRight(line, " "))
	return err
}

// total prints the sums.
func (f *filterTest) total(w io.Writer, s sums) error {
	if f.json {
		if f.verbose {
			return printLine(w, s)
		}
		return printJSON(w, s)
	}
	rows := []row{{"records", strconv.Itoa(s.Records)}, {"pass", strconv.Itoa(s.Passed)}, {"rejected", strconv.Itoa(s.Rejected)}}
	reasons := slices.SortedFunc(maps.Keys(s.Reasons), func(a, b string) int {
		if d := s.Reasons[b] - s.Reasons[a]; d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	for _, r := range reasons {
		rows = append(rows, row{"  " + dash(plain(r)), strconv.Itoa(s.Reasons[r])})
	}
	if s.Invalid > 0 {
		rows = append(rows, row{"not valid", strconv.Itoa(s.Invalid)})
	}
	if f.verbose {
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
	}
	return printRows(w, rows)
}

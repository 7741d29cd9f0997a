package crawl

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
)

// Formats are the names of the forms that Write knows.
var Formats = []string{"jsonl", "csv"}

// Write writes results, as lines of JSON or as CSV with a line of names above, and returns the first error of w. Each is shown to see
// before it is written.
func Write(w io.Writer, format string, results iter.Seq[Result], see func(*Result)) error {
	out := bufio.NewWriterSize(w, 64<<10)
	var put func(*Result) error
	switch format {
	case "jsonl":
		enc := json.NewEncoder(out)
		enc.SetEscapeHTML(false)
		put = func(r *Result) error { return enc.Encode(r) }
	case "csv":
		table := csv.NewWriter(out)
		if err := table.Write(columns); err != nil {
			return err
		}
		put = func(r *Result) error {
			if err := table.Write(r.row()); err != nil {
				return err
			}
			table.Flush()
			return table.Error()
		}
	default:
		return fmt.Errorf("format %q is not one of %s", format, strings.Join(Formats, ", "))
	}
	for r := range results {
		see(&r)
		if err := put(&r); err != nil {
			return err
		}
	}
	return out.Flush()
}

// columns of CSV, by the names that they have in JSON.
var columns = []string{
	"nodeId", "enr", "ip", "port", "family", "alive", "rttSeconds", "firstSeen", "lastSeen", "seq", "reportedBy", "client", "network",
	"forkDigest", "fields", "error",
}

// row is the result in columns; the fields are separated by spaces.
func (r *Result) row() []string {
	rtt, port := "", ""
	if r.RTT != nil {
		rtt = strconv.FormatFloat(*r.RTT, 'f', 6, 64)
	}
	if r.Port != 0 {
		port = strconv.Itoa(int(r.Port))
	}
	return []string{
		r.NodeID, r.ENR, r.IP, port, r.Family, strconv.FormatBool(r.Alive), rtt, r.FirstSeen, r.LastSeen, strconv.FormatUint(r.Seq, 10),
		strconv.FormatUint(uint64(r.ReportedBy), 10), r.Client, r.Network, r.ForkDigest, strings.Join(r.Fields, " "), r.Error,
	}
}

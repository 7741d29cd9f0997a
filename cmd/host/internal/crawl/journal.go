package crawl

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"
)

// A journal is lines of JSON. The first names the form; each of the others is one Fact. A line that was cut short is the last one.

const (
	journalVersion = 1
	// maxLine bounds a line: a node tells of 16 times maxAsks others at most.
	maxLine = 64 << 10
	// recordPrefix begins the text form of a record.
	recordPrefix = "enr:"
)

// Errors of a journal.
var (
	errNoJournal = errors.New("not the state of a crawl")
	errDouble    = errors.New("the node stands there twice")
)

func errNode(i int, err error) error { return fmt.Errorf("node %d: %w", i, err) }

func errTooMany(n, limit int) error { return fmt.Errorf("%d nodes, and %d is the most", n, limit) }

type headerLine struct {
	Version int `json:"host_crawl"`
}

type factLine struct {
	Index uint32    `json:"i"`
	At    int64     `json:"at"` // Unix milliseconds
	ENR   string    `json:"enr,omitempty"`
	Done  *doneLine `json:"done,omitempty"`
}

type doneLine struct {
	Alive   bool     `json:"alive"`
	Seen    int64    `json:"seen,omitempty"`   // Unix milliseconds
	RTT     int64    `json:"rtt_us,omitempty"` // microseconds
	Addr    string   `json:"addr,omitempty"`
	Reason  Reason   `json:"reason,omitempty"`
	Reports []uint32 `json:"reports,omitempty"`
}

func unixMilli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMilli(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// recordText is the text form of an encoded record.
func recordText(record []byte) string {
	return recordPrefix + base64.RawURLEncoding.EncodeToString(record)
}

// appendJSON appends v and a line feed. The types of this file can be encoded.
func appendJSON(dst []byte, v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return dst
	}
	return append(append(dst, b...), '\n')
}

func appendHeader(dst []byte) []byte { return appendJSON(dst, headerLine{journalVersion}) }

func appendFact(dst []byte, f Fact) []byte {
	l := factLine{Index: f.Index, At: unixMilli(f.At)}
	if f.Done == nil {
		l.ENR = recordText(f.Record)
		return appendJSON(dst, l)
	}
	l.Done = &doneLine{
		Alive: f.Done.Alive, Seen: unixMilli(f.Done.Seen), RTT: f.Done.RTT.Microseconds(), Reason: f.Done.Reason, Reports: f.Done.Reports,
	}
	if f.Done.Addr.IsValid() {
		l.Done.Addr = f.Done.Addr.String()
	}
	return appendJSON(dst, l)
}

// readJournal reads a journal: what is known of each node, how many lines told it, and where the last whole line ends. What
// stands after that is of a write that was cut short. An empty journal, or one without a whole line, is as good as none.
func readJournal(r io.Reader) (saved []Saved, lines int, size int64, err error) {
	in := bufio.NewReaderSize(r, maxLine)
	for number := 1; ; number++ {
		text, err := in.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF) && number == 1 && !bytes.HasPrefix(appendHeader(nil), text):
			return nil, 0, 0, errNoJournal
		case errors.Is(err, io.EOF):
			return saved, lines, size, nil
		case errors.Is(err, bufio.ErrBufferFull) && number == 1:
			return nil, 0, 0, errNoJournal
		case errors.Is(err, bufio.ErrBufferFull):
			return nil, 0, 0, fmt.Errorf("line %d is damaged: it does not end", number)
		case err != nil:
			return nil, 0, 0, err
		}
		if number == 1 {
			err = readHeader(text)
		} else {
			saved, err = readFact(saved, text)
			lines++
		}
		if err != nil && number > 1 {
			if _, more := in.Peek(1); errors.Is(more, io.EOF) {
				return saved, lines - 1, size, nil // the system may have written the end of a line and not its beginning
			}
			return nil, 0, 0, fmt.Errorf("line %d is damaged: %w", number, err)
		}
		if err != nil {
			return nil, 0, 0, err
		}
		size += int64(len(text))
	}
}

func readHeader(text []byte) error {
	var h headerLine
	if err := json.Unmarshal(text, &h); err != nil || h.Version < 1 {
		return errNoJournal
	}
	if h.Version != journalVersion {
		return fmt.Errorf("it has form %d, and this program knows %d", h.Version, journalVersion)
	}
	return nil
}

// readFact adds a line to what is known. Reports name nodes that stand before the line.
func readFact(saved []Saved, text []byte) ([]Saved, error) {
	var l factLine
	if err := json.Unmarshal(text, &l); err != nil {
		return saved, errors.New("it is not JSON of the right form")
	}
	if l.Done == nil {
		return readRecord(saved, l)
	}
	if int(l.Index) >= len(saved) {
		return saved, fmt.Errorf("it is about node %d, which was not introduced", l.Index)
	}
	o := &Outcome{
		Alive: l.Done.Alive, Seen: fromMilli(l.Done.Seen), RTT: time.Duration(l.Done.RTT) * time.Microsecond,
		Reason: l.Done.Reason, Reports: l.Done.Reports,
	}
	if l.Done.Addr != "" {
		addr, err := netip.ParseAddrPort(l.Done.Addr)
		if err != nil {
			return saved, fmt.Errorf("%q is not an address", l.Done.Addr)
		}
		o.Addr = addr
	}
	for _, told := range o.Reports {
		if int(told) >= len(saved) {
			return saved, fmt.Errorf("it reports node %d, which was not introduced", told)
		}
	}
	s := &saved[l.Index]
	s.Done, s.DoneAt = o, fromMilli(l.At)
	return saved, nil
}

func readRecord(saved []Saved, l factLine) ([]Saved, error) {
	body, ok := strings.CutPrefix(l.ENR, recordPrefix)
	record, err := base64.RawURLEncoding.DecodeString(body)
	if !ok || err != nil {
		return saved, errors.New("it has no record")
	}
	if _, err := decode(record); err != nil {
		return saved, fmt.Errorf("its record: %w", err)
	}
	switch i := int(l.Index); {
	case i == len(saved):
		return append(saved, Saved{Record: record, First: fromMilli(l.At)}), nil
	case i > len(saved):
		return saved, fmt.Errorf("it is about node %d, and node %d comes next", i, len(saved))
	}
	s := &saved[l.Index]
	s.Record = record
	if s.Done != nil && !s.Done.Alive {
		s.Done = nil // it may answer where the newer record says
	}
	return saved, nil
}

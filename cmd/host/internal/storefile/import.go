package storefile

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/discv5/host/core"
)

// maxLine bounds a line: an entry with its value in base64.
const maxLine = 2*maxValue + 64<<10

// Imported counts the lines of an import.
type Imported struct {
	Nodes   int `json:"nodes"`
	Others  int `json:"others"`  // entries of hosts
	LeftOut int `json:"leftOut"` // entries of hosts that were not asked for
	Expired int `json:"expired"`
	Wrong   int `json:"wrong"`
}

// Import puts the nodes of a file into a store, and with all the entries of hosts: whoever made the file says with these whom a host
// bans and what its plugins know, and nothing in them can be checked. What the store has and is newer stays. A line that is wrong is left out and told. An
// error says how many lines were imported before it; the same file can be imported again.
func Import(ctx context.Context, s core.Store, in io.Reader, now time.Time, all bool, tell func(string)) (n Imported, err error) {
	lines := bufio.NewReaderSize(in, maxLine)
	var batch []core.Entry
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		err := s.Put(ctx, batch)
		batch = nil
		return err
	}
	for number := 1; ; number++ {
		text, more, wrong, err := next(lines)
		if err != nil {
			return n, fmt.Errorf("line %d: %w", number, err)
		}
		if len(text) > 0 && wrong == nil {
			var l Line
			if wrong = inWords(json.Unmarshal(text, &l)); wrong == nil {
				var entries []core.Entry
				switch entries, wrong = l.entries(now); {
				case wrong != nil:
				case l.ENR == "" && !all:
					n.LeftOut++
				default:
					batch = append(batch, entries...)
					n.count(&l)
				}
			}
		}
		switch {
		case errors.Is(wrong, errExpired):
			n.Expired++
		case wrong != nil:
			n.Wrong++
			tell(fmt.Sprintf("line %d is left out: %v", number, wrong))
		}
		if len(batch) >= pageSize || !more {
			if err := flush(); err != nil {
				return n, fmt.Errorf("before line %d: %w", number+1, err)
			}
		}
		if !more {
			return n, nil
		}
	}
}

// inWords says in other words than Go's what is wrong with the JSON of a line; nil for nil.
func inWords(err error) error {
	if err == nil {
		return nil
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field != "" {
		return fmt.Errorf("%q cannot be a %s", wrong.Field, wrong.Value)
	}
	if _, ok := errors.AsType[*json.SyntaxError](err); ok {
		return errors.New("it is not JSON; a line of an export is one object")
	}
	if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return errors.New("it is no object; a line of an export is one")
	}
	return errors.New("a time, an address or base64 in it has another form than in an export")
}

func (n *Imported) count(l *Line) {
	if l.ENR != "" {
		n.Nodes++
	} else {
		n.Others++
	}
}

// next reads a line. wrong says that it is too long; the rest of it is skipped.
func next(lines *bufio.Reader) (text []byte, more bool, wrong, err error) {
	text, err = lines.ReadSlice('\n')
	for errors.Is(err, bufio.ErrBufferFull) {
		wrong = fmt.Errorf("it has more than %d bytes", maxLine)
		_, err = lines.ReadSlice('\n')
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, false, nil, err
	}
	return bytes.TrimSpace(text), err == nil, wrong, nil
}

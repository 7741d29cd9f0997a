package storefile

import (
	"context"
	"fmt"
	"io"

	"github.com/discv5/host/core"
)

// pageSize is how many entries are read or written at a time.
const pageSize = 512

// Exported counts the lines of an export.
type Exported struct {
	Nodes   int `json:"nodes"`
	Others  int `json:"others"`  // entries of hosts
	Damaged int `json:"damaged"` // what is no node under the key of one
}

// Export writes the nodes of a store to out, and with all what hosts keep for themselves. Damaged nodes are left out and told.
func Export(ctx context.Context, s core.Store, out io.Writer, all bool, tell func(string)) (n Exported, err error) {
	err = pages(ctx, s, nodePrefix, func(page []core.Entry) error {
		contacts, err := contactsOf(ctx, s, page)
		if err != nil {
			return err
		}
		for _, e := range page {
			var contact *core.Entry
			if c, ok := contacts[string(e.Key[len(nodePrefix):])]; ok {
				contact = &c
			}
			line, err := lineOf(e, contact)
			if err != nil {
				n.Damaged++
				tell(fmt.Sprintf("%q is left out: %v", e.Key, err))
				continue
			}
			n.Nodes++
			if err := write(out, line); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || !all {
		return n, err
	}
	err = pages(ctx, s, hostPrefix, func(page []core.Entry) error {
		for _, e := range page {
			n.Others++
			if err := write(out, &Line{Key: string(e.Key), Value: e.Value, Version: e.Version, Expires: moment(e.Expires)}); err != nil {
				return err
			}
		}
		return nil
	})
	return n, err
}

func write(out io.Writer, l *Line) error {
	text, err := l.text()
	if err == nil {
		_, err = out.Write(text)
	}
	return err
}

// pages calls f with all entries under a prefix, in the order of keys.
func pages(ctx context.Context, s core.Store, prefix string, f func([]core.Entry) error) error {
	var after []byte
	for {
		page, err := s.Scan(ctx, []byte(prefix), after, pageSize)
		if err != nil {
			return err
		}
		if len(page) > 0 {
			if err := f(page); err != nil {
				return err
			}
			after = page[len(page)-1].Key
		}
		if len(page) < pageSize {
			return nil
		}
	}
}

// contactsOf reads the contacts with the nodes of a page, by node.
func contactsOf(ctx context.Context, s core.Store, page []core.Entry) (map[string]core.Entry, error) {
	keys := make([][]byte, len(page))
	for i, e := range page {
		keys[i] = []byte(seenPrefix + string(e.Key[len(nodePrefix):]))
	}
	found, err := s.Get(ctx, keys)
	contacts := make(map[string]core.Entry, len(found))
	for _, e := range found {
		contacts[string(e.Key[len(seenPrefix):])] = e
	}
	return contacts, err
}

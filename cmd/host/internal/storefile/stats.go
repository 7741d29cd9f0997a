package storefile

import (
	"context"
	"strings"
	"time"

	"github.com/discv5/host/core"
)

// Stats say what is in a store.
type Stats struct {
	Nodes    int        `json:"nodes"`
	Contacts int        `json:"contacts"`
	Recent   int        `json:"contactsLastHour"`
	Oldest   *time.Time `json:"oldestContact,omitempty"`
	Newest   *time.Time `json:"newestContact,omitempty"`
	Hosts    int        `json:"hosts"` // that keep something for themselves
	Bans     int        `json:"bans"`
	Others   int        `json:"others"` // entries of their plugins, and who was in their tables
	Bytes    int64      `json:"bytes"`  // of keys and values
	Damaged  int        `json:"damaged"`
}

// Count reads all of a store.
func Count(ctx context.Context, s core.Store, now time.Time) (n Stats, err error) {
	hosts := make(map[string]bool)
	size := func(e core.Entry) { n.Bytes += int64(len(e.Key) + len(e.Value)) }
	for prefix, look := range map[string]func(core.Entry){
		nodePrefix: func(e core.Entry) {
			n.Nodes++
			if _, err := lineOf(e, nil); err != nil {
				n.Damaged++
			}
		},
		seenPrefix: func(e core.Entry) {
			n.Contacts++
			c := contactOf(e)
			if c == nil {
				n.Damaged++
				return
			}
			if n.Oldest == nil || c.Seen.Before(*n.Oldest) {
				n.Oldest = &c.Seen
			}
			if n.Newest == nil || c.Seen.After(*n.Newest) {
				n.Newest = &c.Seen
			}
			if now.Sub(c.Seen) < time.Hour {
				n.Recent++
			}
		},
		hostPrefix: func(e core.Entry) {
			id, rest, _ := strings.Cut(strings.TrimPrefix(string(e.Key), hostPrefix), "/")
			hosts[id] = true
			if strings.HasPrefix(rest, "ban/") {
				n.Bans++
			} else {
				n.Others++
			}
		},
	} {
		if err := pages(ctx, s, prefix, func(page []core.Entry) error {
			for _, e := range page {
				size(e)
				look(e)
			}
			return nil
		}); err != nil {
			return n, err
		}
	}
	n.Hosts = len(hosts)
	return n, nil
}

package daemon

import (
	"slices"
	"time"

	"github.com/discv5/host/cmd/host/internal/subject"
	"github.com/discv5/host/core"
)

// foreverBanned is the end of bans that hold as long as the configuration says so.
var foreverBanned = time.Date(9999, time.December, 31, 0, 0, 0, 0, time.UTC)

// ban makes the bans of a configuration hold in place of those of the one before. They are not stored: the next start reads the
// configuration again.
func (h *host) ban(before, after []subject.Subject) error {
	for _, s := range before {
		if !slices.Contains(after, s) {
			h.node.Unban(configured(s))
		}
	}
	for _, s := range after {
		if err := h.node.Ban(configured(s)); err != nil {
			return err
		}
	}
	return nil
}

func configured(s subject.Subject) core.Ban {
	return core.Ban{ID: s.ID, Prefix: s.Prefix, Reason: "the configuration", Until: foreverBanned, Unsaved: true}
}

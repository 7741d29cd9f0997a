package daemon

import (
	"github.com/discv5/host/cmd/host/internal/subject"
	"github.com/discv5/host/core"
)

// coreBans are the bans of a configuration in the terms of core.
func coreBans(all []subject.Subject) (bans []core.Ban) {
	for _, s := range all {
		bans = append(bans, core.Ban{ID: s.ID, Prefix: s.Prefix, Reason: "the configuration"})
	}
	return bans
}

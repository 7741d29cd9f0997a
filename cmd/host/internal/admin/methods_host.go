package admin

import (
	"context"
	"encoding/json"
	"net/netip"
	"slices"
	"time"

	"github.com/discv5/host/core"
)

const (
	maxBan       = 100 * 365 * 24 * time.Hour
	maxBanReason = 256 // bytes
)

func filterExplain(ctx context.Context, a *args) (any, error) {
	node, err := a.node(0)
	if err != nil {
		return nil, err
	}
	passes, verdicts := explainedView(a.s.cfg.Node.Explain(ctx, node))
	return Explained{hexID(node.ID()), passes, verdicts}, nil
}

// duration reads a time span like 90m, or a number of seconds.
func (a *args) duration(i int) (time.Duration, error) {
	const what = "a time above 0 like 1h30m, or seconds, up to 100 years"
	var number float64
	var d time.Duration
	if json.Unmarshal(a.values[i], &number) == nil {
		if number > maxBan.Seconds() {
			return 0, a.bad(i, what)
		}
		d = time.Duration(number * float64(time.Second))
	} else {
		text, err := a.text(i, what)
		if err != nil {
			return 0, err
		}
		if d, err = time.ParseDuration(text); err != nil {
			return 0, a.bad(i, what)
		}
	}
	if d <= 0 || d > maxBan {
		return 0, a.bad(i, what)
	}
	return d, nil
}

func banAdd(_ context.Context, a *args) (any, error) {
	ban, err := a.subject(0)
	if err != nil {
		return nil, err
	}
	d, err := a.duration(1)
	if err != nil {
		return nil, err
	}
	if ban.Reason, err = a.text(2, "text"); err != nil {
		return nil, err
	}
	if len(ban.Reason) > maxBanReason {
		return nil, a.bad(2, "at most 256 bytes long")
	}
	ban.Until = time.Now().Add(d)
	if err := a.s.cfg.Node.Ban(ban); err != nil {
		return nil, err
	}
	return banView(ban), nil
}

func banRemove(_ context.Context, a *args) (any, error) {
	ban, err := a.subject(0)
	if err != nil {
		return nil, err
	}
	node := a.s.cfg.Node
	permanent := func(b core.Ban) bool { return b.Permanent && b.ID == ban.ID && b.Prefix == ban.Prefix }
	if was := node.Unban(ban); !slices.ContainsFunc(node.Bans(), permanent) {
		return was, nil
	}
	return nil, fail(CodeFailed, "the configuration bans it", "configured", "take it out of bans in the configuration, then host reload")
}

// endSession ends the sessions with a node and tells how many there were.
func endSession(_ context.Context, a *args) (any, error) {
	id, err := a.id(0)
	if err != nil {
		return nil, err
	}
	var at netip.AddrPort
	if a.has(1) {
		text, err := a.text(1, "an address with a port")
		if err != nil {
			return nil, err
		}
		if at, err = netip.ParseAddrPort(text); err != nil {
			return nil, a.bad(1, "an address with a port, like 192.0.2.1:9000")
		}
		at = netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
	}
	var mine []core.SessionInfo
	for _, x := range a.s.cfg.Node.Sessions() {
		if x.ID == id && (!at.IsValid() || x.Addr == at) {
			mine = append(mine, x)
		}
	}
	for _, x := range mine {
		a.s.cfg.Node.EndSession(x.ID, x.Addr)
	}
	return len(mine), nil
}

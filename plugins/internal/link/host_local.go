package link

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/discv5/host/core"
	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/rlp"
)

// Bounds of what a plugin may keep and ban.
const (
	maxFields    = 32
	maxFieldKey  = 64
	maxKvEntries = 256
	maxKvKey     = 256
	maxKvValue   = 32 << 10
	maxKvReply   = 1 << 20 // bytes

	maxBan       = 30 * 24 * time.Hour
	maxBanReason = 64
	// The widest ranges that a plugin may ban: one mistake must not shut everybody out.
	widestBan4 = 16
	widestBan6 = 32
)

// setFields changes the plugin's fields of the record.
func (h *Host) setFields(call *pluginpb.SetFieldsCall) func(context.Context) outcome {
	return func(ctx context.Context) outcome {
		if n := len(call.GetFields()); n == 0 || n > maxFields {
			return failure(pluginpb.CallCode_CALL_CODE_INVALID, "1 to %d fields can be changed at a time, not %d", maxFields, n)
		}
		set := make(map[string]any)
		var remove []string
		for _, f := range call.Fields {
			key := f.GetKey()
			if key == "" || len(key) > maxFieldKey {
				return failure(pluginpb.CallCode_CALL_CODE_INVALID, "a key has 1 to %d bytes", maxFieldKey)
			}
			if len(f.Value) == 0 {
				remove = append(remove, key)
				continue
			}
			if _, _, rest, err := rlp.Split(f.Value); err != nil || len(rest) > 0 {
				return failure(pluginpb.CallCode_CALL_CODE_INVALID, "the value of %q is not one RLP item", key)
			}
			set[key] = rlp.RawValue(f.Value)
		}
		if err := h.cfg.Services.SetFields(ctx, h.owner(), set, remove...); err != nil {
			return outcome{err: err}
		}
		usage := h.cfg.Services.RecordUsage()
		return outcome{reply: &pluginpb.HostReply{Result: &pluginpb.HostReply_SetFields{SetFields: &pluginpb.SetFieldsResult{
			Seq: h.cfg.Services.Self().Seq(), Size: uint32(usage.Size), Limit: uint32(usage.Max),
		}}}}
	}
}

// inSpace runs f when no other call of the plugin is at its space and its replies were taken, so that they do not pile up.
func (h *Host) inSpace(f func(context.Context) outcome) func(context.Context) outcome {
	return func(ctx context.Context) outcome {
		if h.cfg.Space == nil {
			return failure(pluginpb.CallCode_CALL_CODE_UNAVAILABLE, "there is no space for keys")
		}
		select {
		case <-h.kvTurn:
			defer func() { h.kvTurn <- struct{}{} }()
		case <-ctx.Done():
			return outcome{err: ctx.Err()}
		}
		if !h.waitForRoom() {
			return outcome{err: context.Canceled}
		}
		return f(ctx)
	}
}

func (h *Host) kvPut(call *pluginpb.KvPutCall) func(context.Context) outcome {
	return h.inSpace(func(context.Context) outcome {
		if n := len(call.GetEntries()); n > maxKvEntries {
			return failure(pluginpb.CallCode_CALL_CODE_INVALID, "%d entries, and %d can be put at a time", n, maxKvEntries)
		}
		entries := make([]core.SpaceEntry, 0, len(call.GetEntries()))
		for _, e := range call.GetEntries() {
			if len(e.GetKey()) == 0 || len(e.Key) > maxKvKey {
				return failure(pluginpb.CallCode_CALL_CODE_INVALID, "a key has 1 to %d bytes", maxKvKey)
			}
			if len(e.Value) > maxKvValue {
				return failure(pluginpb.CallCode_CALL_CODE_TOO_LARGE, "a value has at most %d bytes", maxKvValue)
			}
			entries = append(entries, core.SpaceEntry{Key: e.Key, Value: e.Value, Expires: unixMilli(e.ExpiresMs)})
		}
		if err := h.cfg.Space.Put(entries); err != nil {
			return outcome{err: err}
		}
		return succeed()
	})
}

// checkKeys reports what is wrong with keys that are asked for.
func checkKeys(keys [][]byte) error {
	if len(keys) > maxKvEntries {
		return &callError{pluginpb.CallCode_CALL_CODE_INVALID, "too many keys at a time"}
	}
	for _, k := range keys {
		if len(k) == 0 || len(k) > maxKvKey {
			return &callError{pluginpb.CallCode_CALL_CODE_INVALID, "a key has 1 to 256 bytes"}
		}
	}
	return nil
}

func (h *Host) kvGet(call *pluginpb.KvGetCall) func(context.Context) outcome {
	return h.inSpace(func(ctx context.Context) outcome {
		if err := checkKeys(call.GetKeys()); err != nil {
			return outcome{err: err}
		}
		found, err := h.cfg.Space.Get(ctx, call.GetKeys())
		if err != nil {
			return outcome{err: err}
		}
		entries, all := kvEntries(found)
		if !all {
			return failure(pluginpb.CallCode_CALL_CODE_TOO_LARGE, "these values together exceed %d bytes", maxKvReply)
		}
		return entries
	})
}

// kvScan returns fewer entries than asked for when they are large: the rest comes behind the last one.
func (h *Host) kvScan(call *pluginpb.KvScanCall) func(context.Context) outcome {
	return h.inSpace(func(ctx context.Context) outcome {
		if call.GetLimit() == 0 || call.Limit > maxKvEntries {
			return failure(pluginpb.CallCode_CALL_CODE_INVALID, "a limit is 1 to %d", maxKvEntries)
		}
		if len(call.Prefix) > maxKvKey || len(call.After) > maxKvKey {
			return failure(pluginpb.CallCode_CALL_CODE_INVALID, "a key has at most %d bytes", maxKvKey)
		}
		found, err := h.cfg.Space.Scan(ctx, call.Prefix, call.After, int(call.Limit))
		if err != nil {
			return outcome{err: err}
		}
		entries, _ := kvEntries(found)
		return entries
	})
}

func (h *Host) kvDelete(call *pluginpb.KvDeleteCall) func(context.Context) outcome {
	return h.inSpace(func(context.Context) outcome {
		if err := checkKeys(call.GetKeys()); err != nil {
			return outcome{err: err}
		}
		if err := h.cfg.Space.Delete(call.GetKeys()); err != nil {
			return outcome{err: err}
		}
		return succeed()
	})
}

// kvEntries makes a reply of entries, as many as fit, and tells whether all do.
func kvEntries(found []core.SpaceEntry) (o outcome, all bool) {
	entries := make([]*pluginpb.KvEntry, 0, len(found))
	size := 0
	for _, e := range found {
		if size += len(e.Key) + len(e.Value); size > maxKvReply {
			break
		}
		p := &pluginpb.KvEntry{Key: e.Key, Value: e.Value}
		if !e.Expires.IsZero() {
			p.ExpiresMs = uint64(max(e.Expires.UnixMilli(), 1))
		}
		entries = append(entries, p)
	}
	reply := &pluginpb.HostReply{Result: &pluginpb.HostReply_Kv{Kv: &pluginpb.KvEntries{Entries: entries}}}
	return outcome{reply: reply}, len(entries) == len(found)
}

// subject reads whom a ban is about.
func subject(id []byte, prefix string) (b core.Ban, err error) {
	switch {
	case (len(id) > 0) == (prefix != ""):
		return b, &callError{pluginpb.CallCode_CALL_CODE_INVALID, "a ban is for a node id or for an address range, one of them"}
	case len(id) > 0:
		b.ID, err = idOf(id)
		if err == nil && b.ID == (enode.ID{}) {
			err = &callError{pluginpb.CallCode_CALL_CODE_INVALID, "the node id is zero"}
		}
		return b, err
	}
	if b.Prefix, err = netip.ParsePrefix(prefix); err != nil || b.Prefix.Addr().Is4In6() {
		return b, &callError{pluginpb.CallCode_CALL_CODE_INVALID, "the prefix is no address range"}
	}
	b.Prefix = b.Prefix.Masked()
	return b, nil
}

// ban bans in the plugin's name.
func (h *Host) ban(call *pluginpb.BanCall) outcome {
	b, err := subject(call.GetNodeId(), call.GetPrefix())
	if err != nil {
		return outcome{err: err}
	}
	widest := widestBan6
	if b.Prefix.Addr().Is4() {
		widest = widestBan4
	}
	duration := time.Duration(min(call.DurationS, uint64(maxBan/time.Second)+1)) * time.Second
	switch {
	case b.Prefix.IsValid() && b.Prefix.Bits() < widest:
		return failure(pluginpb.CallCode_CALL_CODE_INVALID, "the widest range that a plugin may ban is /%d", widest)
	case duration < time.Second || duration > maxBan:
		return failure(pluginpb.CallCode_CALL_CODE_INVALID, "a ban lasts 1 s to 30 days")
	case b.ID == h.cfg.Services.Self().ID():
		return failure(pluginpb.CallCode_CALL_CODE_INVALID, "that is the host itself")
	}
	b.Reason = h.owner() + ": " + clean(call.Reason, maxBanReason)
	b.Until = time.Now().Add(duration)
	if err := h.cfg.Services.Ban(b); err != nil {
		return outcome{err: err}
	}
	return succeed()
}

// unban ends a ban that has the plugin's name.
func (h *Host) unban(call *pluginpb.UnbanCall) func(context.Context) outcome {
	return func(context.Context) outcome {
		b, err := subject(call.GetNodeId(), call.GetPrefix())
		if err != nil {
			return outcome{err: err}
		}
		for _, held := range h.cfg.Services.Bans() {
			if held.ID != b.ID || held.Prefix != b.Prefix {
				continue
			}
			if !strings.HasPrefix(held.Reason, h.owner()+": ") {
				return failure(pluginpb.CallCode_CALL_CODE_OWNED, "the ban was made by somebody else")
			}
			h.cfg.Services.Unban(b)
			return succeed()
		}
		return failure(pluginpb.CallCode_CALL_CODE_NOT_FOUND, "there is no such ban")
	}
}

package sdk

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
)

// Bounds of a ban.
const (
	minBan = time.Second
	maxBan = 30 * 24 * time.Hour
)

// RecordInfo is the host's record after a change.
type RecordInfo struct {
	Seq   uint64
	Size  int // bytes
	Limit int // bytes: 300
}

// SetFields sets or removes fields of the host's own record, all or none: entries as package sdk/fields and go-ethereum's
// enr have them, and RemoveField. The plugin owns what it sets; it stays over restarts of both, and goes when
// the plugin is disabled, refused or removed. ErrOwned: somebody else owns one of the fields; ErrTooLarge: they do not fit; ErrInvalid: a value cannot be encoded. Grant: record.
func (h *Host) SetFields(ctx context.Context, fields ...enr.Entry) (RecordInfo, error) {
	c := &pluginpb.SetFieldsCall{}
	for _, f := range fields {
		field := &pluginpb.RecordField{Key: valid(f.ENRKey())}
		if _, remove := f.(removedField); !remove {
			value, err := rlp.EncodeToBytes(f)
			if err != nil {
				return RecordInfo{}, badCall("set_fields", ErrInvalid, fmt.Sprintf("field %q: %v", f.ENRKey(), err))
			}
			field.Value = value
		}
		c.Fields = append(c.Fields, field)
	}
	r, err := h.call(ctx, "set_fields", GrantRecord, &pluginpb.HostCall{Call: &pluginpb.HostCall_SetFields{SetFields: c}})
	if err != nil {
		return RecordInfo{}, err
	}
	info := r.GetSetFields()
	return RecordInfo{Seq: info.GetSeq(), Size: int(info.GetSize()), Limit: int(info.GetLimit())}, nil
}

// RemoveField is an argument of SetFields that removes a field that the plugin set.
func RemoveField(key string) enr.Entry { return removedField(key) }

type removedField string

func (f removedField) ENRKey() string { return string(f) }

// Ban keeps a node away from the host for a time, 1 s to 30 days. The reason is for people and logs. Grant: ban.
func (h *Host) Ban(ctx context.Context, id enode.ID, reason string, d time.Duration) error {
	return h.ban(ctx, &pluginpb.BanCall{NodeId: id[:]}, reason, d)
}

// BanPrefix keeps the addresses of a range away. Grant: ban.
func (h *Host) BanPrefix(ctx context.Context, prefix netip.Prefix, reason string, d time.Duration) error {
	if !prefix.IsValid() {
		return badCall("ban", ErrInvalid, "no valid prefix")
	}
	return h.ban(ctx, &pluginpb.BanCall{Prefix: prefix.String()}, reason, d)
}

func (h *Host) ban(ctx context.Context, c *pluginpb.BanCall, reason string, d time.Duration) error {
	if d < minBan || d > maxBan {
		return badCall("ban", ErrInvalid, fmt.Sprintf("a ban lasts %v to %v", minBan, maxBan))
	}
	c.Reason, c.DurationS = clip(reason, maxHealthText), uint64((d+time.Second-1)/time.Second)
	_, err := h.call(ctx, "ban", GrantBan, &pluginpb.HostCall{Call: &pluginpb.HostCall_Ban{Ban: c}})
	return err
}

// Unban ends a ban of a node that this plugin made. Grant: ban.
func (h *Host) Unban(ctx context.Context, id enode.ID) error {
	return h.unban(ctx, &pluginpb.UnbanCall{NodeId: id[:]})
}

// UnbanPrefix ends a ban of a range that this plugin made. Grant: ban.
func (h *Host) UnbanPrefix(ctx context.Context, prefix netip.Prefix) error {
	return h.unban(ctx, &pluginpb.UnbanCall{Prefix: prefix.String()})
}

func (h *Host) unban(ctx context.Context, c *pluginpb.UnbanCall) error {
	_, err := h.call(ctx, "unban", GrantBan, &pluginpb.HostCall{Call: &pluginpb.HostCall_Unban{Unban: c}})
	return err
}

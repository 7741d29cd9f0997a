package sdk

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/hashicorp/go-hclog"
)

// Host is the host of a plugin, for Start and everything that happens after it. All methods may be called concurrently.
//
// Calls need a grant of the operator and return ErrNotGranted at once without it. They wait as long as ctx allows; without a
// deadline the host gives up after 10 s, and in any case after 5 min. When ctx ends, a call returns its error at once and the
// host stops working on it. Failures are *CallError. Nodes that calls return have verified records.
type Host struct {
	name    string
	log     hclog.Logger
	dataDir string
	version string
	grants  []string
	link    *link
	metrics *metrics
}

// Name is what the host calls the plugin: the label of its block in config.hcl.
func (h *Host) Name() string { return h.name }

// Log is the plugin's logger. What it writes appears in the host's log under the plugin's name.
func (h *Host) Log() hclog.Logger { return h.log }

// DataDir is a directory that exists and is this plugin's alone. It stays when the plugin stops.
func (h *Host) DataDir() string { return h.dataDir }

// Version is the version of the host.
func (h *Host) Version() string { return h.version }

// Granted tells whether the operator granted something.
func (h *Host) Granted(grant string) bool { return slices.Contains(h.grants, grant) }

// Self returns the host's own record. Grant: self.
func (h *Host) Self(ctx context.Context) (*enode.Node, error) {
	return nil, ErrUnavailable
}

// Pong is the answer to a PING.
type Pong struct {
	Seq       uint64         // of the record that the node has
	Recipient netip.AddrPort // the host's endpoint as the node sees it
	RTT       time.Duration  // in microseconds
}

// Ping sends a PING. ErrTimeout, ErrNoAddress, ErrBanned, … Grant: ping.
func (h *Host) Ping(ctx context.Context, n *enode.Node) (Pong, error) {
	return Pong{}, ErrUnavailable
}

// FindNode asks a node for the nodes in its table at log distances, 0 (the node itself) to 256. Grant: findnode.
func (h *Host) FindNode(ctx context.Context, n *enode.Node, distances []uint) ([]*enode.Node, error) {
	return nil, ErrUnavailable
}

// Talk sends a TALKREQ and returns the response's payload. An empty one says that the node does not speak the protocol or
// cannot answer. The payload has at most 1176 bytes less the length of the protocol's name, otherwise ErrTooLarge. Grant: talk.
func (h *Host) Talk(ctx context.Context, n *enode.Node, protocol string, payload []byte) ([]byte, error) {
	return nil, ErrUnavailable
}

// TalkTo is Talk with a node that is known by id and address only, such as one that sent a request. It needs a session,
// or a record of the node in the host; otherwise ErrNoRecord.
func (h *Host) TalkTo(ctx context.Context, id enode.ID, addr netip.AddrPort, protocol string, payload []byte) ([]byte, error) {
	return nil, ErrUnavailable
}

// TalkSend sends a TALKREQ and forgets about it. It does not wait, neither for a response nor for the request to leave, and
// does not keep payload. It fails with ErrExhausted when more wait to be sent than the host takes. Grant: talk.
func (h *Host) TalkSend(id enode.ID, addr netip.AddrPort, protocol string, payload []byte) error {
	return ErrUnavailable
}

// Match is a condition on a record: it has the key and, if Value is set, exactly this value.
type Match struct {
	Key   string
	Value []byte // RLP; nil: any
}

// HasKey matches the records that have a key.
func HasKey(key string) Match { return Match{Key: key} }

// LookupOption changes what a lookup returns.
type LookupOption func(*pluginpb.LookupCall)

// Matching makes only nodes count that match all of these.
func Matching(all ...Match) LookupOption {
	return func(c *pluginpb.LookupCall) {}
}

// Want ends a lookup as soon as it found n nodes that match.
func Want(n int) LookupOption {
	return func(c *pluginpb.LookupCall) {}
}

// Everything makes a lookup return all nodes that it met on the way instead of the 16 closest.
func Everything() LookupOption {
	return func(c *pluginpb.LookupCall) {}
}

// Lookup looks for the 16 nodes closest to a target, in the network. Grant: lookup.
func (h *Host) Lookup(ctx context.Context, target enode.ID, options ...LookupOption) ([]*enode.Node, error) {
	return nil, ErrUnavailable
}

// LookupRandom looks for the nodes closest to a random target. Grant: lookup.
func (h *Host) LookupRandom(ctx context.Context, options ...LookupOption) ([]*enode.Node, error) {
	return nil, ErrUnavailable
}

// Resolve finds the newest record of a node, in the network; ErrNotFound. Grant: resolve.
func (h *Host) Resolve(ctx context.Context, id enode.ID) (*enode.Node, error) {
	return nil, ErrUnavailable
}

// Node returns the newest record of a node that the host knows by itself; ErrNotFound. Grant: resolve.
func (h *Host) Node(ctx context.Context, id enode.ID) (*enode.Node, error) {
	return nil, ErrUnavailable
}

// Closest returns the k nodes of the host's table, 1 to 256, that are closest to a target, closest first; verified: only among
// those that have answered. Grant: closest.
func (h *Host) Closest(ctx context.Context, target enode.ID, k int, verified bool) ([]*enode.Node, error) {
	return nil, ErrUnavailable
}

// Sample returns k random nodes of the host's table, 1 to 256, among those that match all conditions. Grant: sample.
func (h *Host) Sample(ctx context.Context, k int, all ...Match) ([]*enode.Node, error) {
	return nil, ErrUnavailable
}

// RecordInfo is the host's record after a change.
type RecordInfo struct {
	Seq   uint64
	Size  int // bytes
	Limit int // bytes: 300
}

// SetFields sets or removes fields of the host's own record, all or none: entries as package sdk/fields and go-ethereum's
// enr have them, and RemoveField. The plugin owns what it sets; it goes when the plugin stops. ErrOwned: somebody else owns
// one of the fields; ErrTooLarge: they do not fit. Grant: record.
func (h *Host) SetFields(ctx context.Context, fields ...enr.Entry) (RecordInfo, error) {
	return RecordInfo{}, ErrUnavailable
}

// RemoveField is an argument of SetFields that removes a field that the plugin set.
func RemoveField(key string) enr.Entry { return removedField(key) }

type removedField string

func (f removedField) ENRKey() string { return string(f) }

// Ban keeps a node away from the host for a time, 1 s to 30 days. The reason is for people and logs. Grant: ban.
func (h *Host) Ban(ctx context.Context, id enode.ID, reason string, d time.Duration) error {
	return ErrUnavailable
}

// BanPrefix keeps the addresses of a range away. Grant: ban.
func (h *Host) BanPrefix(ctx context.Context, prefix netip.Prefix, reason string, d time.Duration) error {
	return ErrUnavailable
}

// Unban ends a ban of a node that this plugin made. Grant: ban.
func (h *Host) Unban(ctx context.Context, id enode.ID) error {
	return ErrUnavailable
}

// UnbanPrefix ends a ban of a range that this plugin made. Grant: ban.
func (h *Host) UnbanPrefix(ctx context.Context, prefix netip.Prefix) error {
	return ErrUnavailable
}

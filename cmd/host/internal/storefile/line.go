package storefile

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"time"

	"github.com/discv5/host/core"
	"github.com/discv5/host/sdk/fields"
	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
	"google.golang.org/protobuf/proto"
)

// Prefixes of keys.
const (
	nodePrefix = "node/"
	seenPrefix = "seen/"
	hostPrefix = "host/"
)

const (
	// nodeLife is how long a node is worth remembering after the last contact.
	nodeLife = 5 * 24 * time.Hour
	// maxAhead is how far ahead of our clock a contact may be.
	maxAhead = 10 * time.Minute
	// maxVersion bounds the versions of a host's own entries.
	maxVersion = 1 << 62
	// Bounds of an entry, as every store has them.
	maxKey, maxValue = 512, 64 << 10
)

// Line is one line of a file: a node, with ENR, or an entry of one host, with Key.
type Line struct {
	NodeID  string     `json:"nodeId,omitempty"` // of the node, 0x and hex; it may be left out, and so may 0x
	ENR     string     `json:"enr,omitempty"`
	Seq     uint64     `json:"seq,omitempty"` // of the record; for people
	Expires *time.Time `json:"expires,omitempty"`
	Contact *Contact   `json:"contact,omitempty"`

	Key     string `json:"key,omitempty"`
	Value   []byte `json:"value,omitempty"` // base64
	Version uint64 `json:"version,omitempty"`
}

// Contact is when and where a node answered last.
type Contact struct {
	Addr    netip.AddrPort `json:"addr"`
	Seen    time.Time      `json:"seen"`
	First   *time.Time     `json:"first,omitempty"` // since when it is known
	RTT     float64        `json:"rttSeconds,omitempty"`
	Checks  uint32         `json:"checks,omitempty"` // answers in a row
	Expires *time.Time     `json:"expires,omitempty"`
}

var errExpired = errors.New("it has expired")

// entries are what a store keeps of a line. errExpired says that this is nothing any more.
func (l *Line) entries(now time.Time) ([]core.Entry, error) {
	switch {
	case l.ENR != "" && l.Key != "":
		return nil, errors.New(`it has both "enr" and "key"`)
	case l.ENR != "":
		return l.node(now)
	case l.Key != "":
		return l.entry(now)
	}
	return nil, errors.New(`it has neither "enr" nor "key"`)
}

func (l *Line) entry(now time.Time) ([]core.Entry, error) {
	e := core.Entry{Key: []byte(l.Key), Value: l.Value, Version: l.Version}
	switch {
	case !strings.HasPrefix(l.Key, hostPrefix):
		return nil, fmt.Errorf("the key %.80q is not of a host; nodes have lines with \"enr\"", l.Key)
	case len(l.Key) > maxKey || len(l.Value) > maxValue:
		return nil, fmt.Errorf("a key of %d bytes and a value of %d, at most %d and %d are possible", len(l.Key), len(l.Value), maxKey, maxValue)
	case l.Version >= maxVersion:
		return nil, fmt.Errorf("the version %d is out of range", l.Version)
	}
	if l.Expires != nil {
		if e.Expires = *l.Expires; !now.Before(e.Expires) {
			return nil, errExpired
		}
	}
	return []core.Entry{e}, nil
}

// node checks the record with its signature.
func (l *Line) node(now time.Time) ([]core.Entry, error) {
	n, err := fields.Parse(l.ENR)
	if err != nil {
		return nil, fmt.Errorf("the record: %w", err)
	}
	if said := strings.TrimPrefix(l.NodeID, "0x"); said != "" && !strings.EqualFold(said, n.ID().String()) {
		return nil, fmt.Errorf("the record is of the node %s, not of %.66q", n.ID(), l.NodeID)
	}
	record, err := rlp.EncodeToBytes(n.Record())
	if err != nil {
		return nil, err
	}
	value, err := proto.Marshal(&pluginpb.StoredNode{Record: record})
	if err != nil {
		return nil, err
	}
	last := now
	var contact *core.Entry
	if l.Contact != nil {
		if contact, err = l.Contact.entry(now, n.ID()); err != nil {
			return nil, fmt.Errorf("the contact: %w", err)
		}
		last = l.Contact.Seen
	}
	e := core.Entry{Key: []byte(nodePrefix + n.ID().String()), Value: value, Version: n.Seq(), Expires: within(l.Expires, last, now)}
	if !now.Before(e.Expires) {
		return nil, errExpired
	}
	if contact == nil || !now.Before(contact.Expires) {
		return []core.Entry{e}, nil
	}
	return []core.Entry{e, *contact}, nil
}

func (c *Contact) entry(now time.Time, id enode.ID) (*core.Entry, error) {
	switch {
	case !c.Addr.IsValid() || c.Addr.Port() == 0 || c.Addr.Addr().IsUnspecified() || c.Addr.Addr().Zone() != "":
		return nil, fmt.Errorf("%s is no address of a node", c.Addr)
	case c.Seen.UnixMilli() <= 0 || c.Seen.After(now.Add(maxAhead)):
		return nil, fmt.Errorf("the node cannot have been seen at %s", c.Seen.Format(time.RFC3339))
	case c.RTT < 0 || c.RTT > time.Hour.Seconds():
		return nil, fmt.Errorf("the round trip time of %v s is out of range", c.RTT)
	}
	m := &pluginpb.StoredContact{
		Ip: c.Addr.Addr().Unmap().AsSlice(), Port: uint32(c.Addr.Port()), SeenMs: uint64(c.Seen.UnixMilli()),
		RttUs: uint64(math.Round(c.RTT * 1e6)), Checks: c.Checks,
	}
	if c.First != nil && c.First.UnixMilli() > 0 && !c.First.After(c.Seen) {
		m.FirstMs = uint64(c.First.UnixMilli())
	}
	value, err := proto.Marshal(m)
	return &core.Entry{Key: []byte(seenPrefix + id.String()), Value: value, Version: m.SeenMs, Expires: within(c.Expires, c.Seen, now)}, err
}

// within is when something about a node expires: at the given time, but no later than it would if it were written now.
func within(expires *time.Time, last, now time.Time) time.Time {
	if last.After(now) {
		last = now
	}
	if expires == nil {
		return last.Add(nodeLife)
	}
	if limit := now.Add(nodeLife); expires.After(limit) {
		return limit
	}
	return *expires
}

// lineOf makes a line of what is stored of a node; contact may be nil.
func lineOf(node core.Entry, contact *core.Entry) (*Line, error) {
	var m pluginpb.StoredNode
	if err := proto.Unmarshal(node.Value, &m); err != nil {
		return nil, err
	}
	var r enr.Record
	if err := rlp.DecodeBytes(m.GetRecord(), &r); err != nil {
		return nil, err
	}
	n, err := enode.New(enode.ValidSchemes, &r)
	if err != nil {
		return nil, err
	}
	if string(node.Key) != nodePrefix+n.ID().String() {
		return nil, fmt.Errorf("the record is of the node %s", n.ID())
	}
	l := &Line{NodeID: "0x" + n.ID().String(), ENR: n.String(), Seq: n.Seq(), Expires: moment(node.Expires)}
	if contact != nil {
		l.Contact = contactOf(*contact)
	}
	return l, nil
}

// contactOf reads a contact; nil if it is none.
func contactOf(e core.Entry) *Contact {
	var m pluginpb.StoredContact
	if proto.Unmarshal(e.Value, &m) != nil {
		return nil
	}
	ip, ok := netip.AddrFromSlice(m.GetIp())
	if !ok || m.GetPort() == 0 || m.GetPort() > 65535 || m.GetSeenMs() == 0 || m.GetSeenMs() > maxMillis {
		return nil
	}
	c := &Contact{
		Addr: netip.AddrPortFrom(ip.Unmap(), uint16(m.GetPort())), Seen: time.UnixMilli(int64(m.GetSeenMs())).UTC(),
		RTT: float64(m.GetRttUs()) / 1e6, Checks: m.GetChecks(), Expires: moment(e.Expires),
	}
	if ms := m.GetFirstMs(); ms > 0 && ms <= maxMillis {
		c.First = moment(time.UnixMilli(int64(ms)))
	}
	return c
}

// maxMillis is the end of the year 9999.
const maxMillis = 253_402_300_799_000

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func (l *Line) text() ([]byte, error) {
	b, err := json.Marshal(l)
	return append(b, '\n'), err
}

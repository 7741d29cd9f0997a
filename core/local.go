package core

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/discv5/host/core/internal/endpoint"
	"github.com/discv5/host/core/internal/record"
	"github.com/discv5/host/core/internal/session"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
)

// Errors of [Node.SetFields].
var (
	// ErrFieldOwned says that somebody else set this key before.
	ErrFieldOwned = record.ErrFieldOwned
	// ErrFieldReserved says that a key is the node's own.
	ErrFieldReserved = record.ErrReserved
	// ErrRecordTooLarge says that the record would exceed 300 bytes.
	ErrRecordTooLarge = record.ErrTooLarge
	// ErrRecordNotSaved says that the record file could not be written, so that the change was not made.
	ErrRecordNotSaved = record.ErrNotSaved
)

// Operator owns the fields that the operator set, with Config.Fields or [Node.SetEntries].
const Operator = record.Operator

// What the local record's methods tell.
type (
	// FieldOwnedError is an ErrFieldOwned that names the field and both owners.
	FieldOwnedError = record.FieldOwnedError
	// RecordTooLargeError is an ErrRecordTooLarge that names the bytes and who takes them.
	RecordTooLargeError = record.TooLargeError
	// RecordUsage is what the fields of the local record take of its 300 bytes.
	RecordUsage = record.Usage
	// RecordField is one field of a RecordUsage.
	RecordField = record.Field
	// RecordShare is how many bytes the fields of one owner take.
	RecordShare = record.OwnerSize
)

// saveAgain is the pause between attempts to save a record that could not be saved.
const saveAgain = 30 * time.Second

// countPause is how often the votes about our endpoint are counted at most: a count looks at all of them.
const countPause = time.Second

// localRecord keeps the local record. Changes are signed, saved and published on a goroutine of their own, one after the
// other; everybody may read what is published. A disk that hangs holds up that goroutine and nothing else.
type localRecord struct {
	n         *Node
	record    *record.Local // owned by keep
	changes   chan recordChange
	published atomic.Pointer[publishedRecord]

	// owned by the turn
	pinned    [2]bool             // by family: votes do not change it
	counted   [2]time.Time        // by family: when the votes were last counted
	counting  [2]bool             // by family: a count is due, or what it came to is being saved
	unsaved   [2]bool             // by family: what the last count came to could not be saved
	reachable [2]endpoint.State   // by family: as last told by an event
	warned    map[netip.Addr]bool // addresses that votes brought and that were not taken, to warn once
}

type publishedRecord struct {
	node      *enode.Node
	rlp       []byte
	endpoints [2]netip.AddrPort // by family
	usage     record.Usage
	failed    error
}

// recordChange is what the keeper of the record is asked to do.
type recordChange struct {
	ctx     context.Context // nil: it has no end; one that has ended before the change begins cancels it
	changes []record.Change
	valid   func() bool                    // in a turn, right before: whether it still makes sense; nil: it does
	after   func(now time.Time, err error) // in a turn, right after; nil: nothing
	done    chan<- error                   // then; nil: nobody waits
}

// errObsolete says that a change made no sense any more when its turn came.
var errObsolete = errors.New("core: change is obsolete")

func openLocalRecord(now time.Time, n *Node) (*localRecord, error) {
	l := &localRecord{n: n, changes: make(chan recordChange, 16), warned: make(map[netip.Addr]bool)}
	changes := []record.Change{{Owner: record.Operator, Set: make(map[string]any)}}
	for _, f := range n.cfg.Fields {
		changes[0].Set[f.ENRKey()] = f
	}
	var previous [2]netip.AddrPort
	if n.cfg.RecordFile != "" && !n.cfg.NoAutoUpdate {
		if node, err := record.Read(n.cfg.RecordFile); err == nil {
			previous[endpoint.IPv4], previous[endpoint.IPv6] = endpoints(node)
		}
	}
	for _, link := range n.links {
		family, _ := endpoint.FamilyOf(link.local.Addr())
		at := link.local
		if at.Addr().IsUnspecified() {
			at = previous[family] // what peers or a mapping said last time, until they say otherwise
		}
		if at.IsValid() {
			changes = append(changes, record.SetEndpoint(family, at))
		}
	}
	for _, at := range n.cfg.Advertise {
		at = netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
		family, _ := endpoint.FamilyOf(at.Addr())
		if at.Port() == 0 {
			if link := n.linkTo(at.Addr()); link != nil {
				at = netip.AddrPortFrom(at.Addr(), link.local.Port())
			}
		}
		l.pinned[family] = true
		changes = append(changes, record.SetEndpoint(family, at))
	}
	r, report, err := record.Open(now, record.Config{Path: n.cfg.RecordFile, Key: n.cfg.PrivateKey, FreshKey: n.cfg.NewKey || n.cfg.RecordFile == ""}, changes...)
	if err != nil {
		return nil, fmt.Errorf("core: local record: %w", err)
	}
	if report.Problem != nil {
		n.log.Warn("record file could not be used, its sequence number starts at the clock", "err", report.Problem)
	}
	if report.NotSaved != nil {
		n.log.Warn("record could not be saved", "err", report.NotSaved)
	}
	l.record = r
	l.publish()
	return l, nil
}

// node is the newest published record.
func (l *localRecord) node() *enode.Node { return l.published.Load().node }

// rlp is its encoding, read-only.
func (l *localRecord) rlp() []byte { return l.published.Load().rlp }

func (l *localRecord) publish() {
	node := l.record.Self()
	b, _ := rlp.EncodeToBytes(node.Record()) // a signed record always encodes
	v4, v6 := endpoints(node)
	l.published.Store(&publishedRecord{
		node: node, rlp: b, endpoints: [2]netip.AddrPort{endpoint.IPv4: v4, endpoint.IPv6: v6},
		usage: l.record.Usage(), failed: l.record.Degraded(),
	})
}

// keep carries out changes until the node is closed.
func (l *localRecord) keep() {
	again := time.NewTicker(saveAgain)
	defer again.Stop()
	for {
		select {
		case c := <-l.changes:
			l.carryOut(c)
		case <-again.C:
			if l.record.Degraded() != nil {
				_ = l.update(nil) // Degraded tells
			}
		case <-l.n.done:
			return
		}
	}
}

func (l *localRecord) carryOut(c recordChange) {
	err := errObsolete
	valid := true
	if c.valid != nil {
		l.n.turn(func(time.Time) { valid = c.valid() })
	}
	switch {
	case c.ctx != nil && c.ctx.Err() != nil:
		err = c.ctx.Err()
	case valid:
		err = l.update(c.changes)
	}
	if c.after != nil {
		l.n.turn(func(now time.Time) { c.after(now, err) })
	}
	if c.done != nil {
		c.done <- err
	}
}

func (l *localRecord) update(changes []record.Change) error {
	node, changed, err := l.record.Update(changes...)
	l.publish()
	if changed {
		l.n.log.Info("record changed", "seq", node.Seq(), "enr", node.String())
		l.n.turn(func(now time.Time) {
			l.n.publishEndpoints(now)
			l.n.events.publish(Event{Type: RecordChanged, ID: node.ID(), Node: node})
		})
	}
	return err
}

// change carries out a change and waits for it, as long as ctx allows. A change that has begun by then goes on.
func (l *localRecord) change(ctx context.Context, c recordChange) error {
	done := make(chan error, 1)
	c.ctx, c.done = ctx, done
	select {
	case l.changes <- c:
	case <-ctx.Done():
		return ctx.Err()
	case <-l.n.done:
		return ErrClosed
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-l.n.done:
		return ErrClosed
	}
}

// publishEndpoints tells the reachability detector what the record names.
func (n *Node) publishEndpoints(now time.Time) {
	for family, at := range n.local.published.Load().endpoints {
		n.reach.Advertise(now, endpoint.Family(family), at.Addr())
	}
}

// vote counts what a peer says our endpoint is, and follows the majority.
func (n *Node) vote(now time.Time, from session.Peer, seen netip.AddrPort) {
	if !n.votes.Insert(now, from.ID, from.Addr.Addr(), seen) {
		return
	}
	family, ok := endpoint.FamilyOf(seen.Addr())
	if !ok {
		return
	}
	current := n.local.published.Load().endpoints[family]
	if seen == current || n.local.counting[family] {
		return // nothing can change, or it is counted with the others
	}
	if wait := countPause - now.Sub(n.local.counted[family]); wait > 0 {
		n.local.counting[family] = true
		n.after(now, wait, func(now time.Time) { n.countVotes(now, family) })
		return
	}
	n.countVotes(now, family)
}

// countVotes makes the record name the endpoint that the votes of a family agree on.
func (n *Node) countVotes(now time.Time, family endpoint.Family) {
	n.local.counting[family], n.local.counted[family] = false, now
	current := n.local.published.Load().endpoints[family]
	winner, votes, ok := n.votes.Majority(now, family)
	if !ok {
		return
	}
	port := winner.Port
	if !winner.PortKnown {
		if port = current.Port(); port == 0 {
			if link := n.linkTo(winner.Addr); link != nil {
				port = link.local.Port()
			}
		}
	}
	at := netip.AddrPortFrom(winner.Addr, port)
	if at == current {
		return
	}
	if n.local.pinned[family] || n.cfg.NoAutoUpdate {
		if !n.local.warned[at.Addr()] && len(n.local.warned) < 64 {
			n.local.warned[at.Addr()] = true
			n.log.Warn("peers see another address than the record names", "addr", at, "count", votes, "record", current)
		}
		return
	}
	n.local.counting[family] = true
	again := func(now time.Time) { n.countVotes(now, family) }
	select {
	case n.local.changes <- recordChange{
		changes: []record.Change{record.SetEndpoint(family, at)},
		valid:   func() bool { return !n.local.pinned[family] },
		after: func(now time.Time, err error) {
			if err != nil {
				n.voteNotSaved(family, at, err)
				n.after(now, saveAgain, again)
				return
			}
			n.local.unsaved[family] = false
			n.after(now, countPause, again) // with the votes that came meanwhile
			n.stats.AutoUpdates++
			n.log.Info("peers agree on our address", "addr", at, "count", votes)
			n.events.publish(Event{Type: EndpointChanged, ID: n.self, Addr: at})
		},
	}:
	default:
		n.after(now, saveAgain, again)
	}
}

// voteNotSaved tells, once until it works again, that the record cannot name what peers agree on.
func (n *Node) voteNotSaved(family endpoint.Family, at netip.AddrPort, err error) {
	if !n.local.unsaved[family] && !errors.Is(err, errObsolete) {
		n.local.unsaved[family] = true
		n.log.Warn("peers agree on our address, but the record cannot be changed", "addr", at, "err", err)
	}
}

// inboundSeen notes a packet that authenticates: if we had not contacted its sender, strangers reach us, and if none ever
// is a stranger, they do not.
func (n *Node) inboundSeen(now time.Time, from netip.AddrPort) {
	n.reach.Inbound(now, from.Addr())
	family, ok := endpoint.FamilyOf(from.Addr())
	if !ok {
		return
	}
	if state := n.reach.State(now, family); state != n.local.reachable[family] {
		n.local.reachable[family] = state
		n.events.publish(Event{Type: ReachabilityChanged, ID: n.self, Addr: n.local.published.Load().endpoints[family], Detail: state.String()})
	}
}

// Self returns the local record.
func (n *Node) Self() *enode.Node { return n.local.node() }

// SetFields changes the pairs of the local record that owner has, in one step and with one new sequence number: remove, then set.
// A key belongs to whoever set it first until it is removed. Values are enr.Entry, rlp.RawValue or anything that RLP
// encodes. The change is saved before it is published; on any error of its own nothing has changed. Errors: ErrFieldOwned,
// ErrFieldReserved, ErrRecordTooLarge, ErrRecordNotSaved, and that of ctx: a change that had begun when ctx ended may still
// happen, one that waited for others does not. The same holds when the node is closed meanwhile, for ErrClosed.
func (n *Node) SetFields(ctx context.Context, owner string, set map[string]any, remove ...string) error {
	return n.local.change(ctx, recordChange{changes: []record.Change{{Owner: owner, Set: set, Remove: remove}}})
}

// SetEntries is SetFields for typed entries of the operator.
func (n *Node) SetEntries(ctx context.Context, entries ...enr.Entry) error {
	set := make(map[string]any)
	for _, e := range entries {
		set[e.ENRKey()] = e
	}
	return n.SetFields(ctx, record.Operator, set)
}

// RemoveFields removes every pair of an owner.
func (n *Node) RemoveFields(ctx context.Context, owner string) error {
	return n.local.change(ctx, recordChange{changes: []record.Change{record.RemoveOwner(owner)}})
}

// SetAdvertised pins the endpoint that the record names for the family of at, as a port mapping found it. Port 0 means
// the port of the socket. After an error nothing is pinned that was not before, unless ctx ended while the change was being
// made, as with SetFields. Errors: ErrNoAddress for an address of no
// family, ErrRecordNotSaved, ErrRecordTooLarge, and the record's refusal of an address that nobody can send to.
func (n *Node) SetAdvertised(ctx context.Context, at netip.AddrPort) error {
	at = netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
	family, ok := endpoint.FamilyOf(at.Addr())
	if !ok {
		return ErrNoAddress
	}
	if at.Port() == 0 {
		if link := n.linkTo(at.Addr()); link != nil {
			at = netip.AddrPortFrom(at.Addr(), link.local.Port())
		}
	}
	return n.local.change(ctx, recordChange{
		changes: []record.Change{record.SetEndpoint(family, at)},
		after: func(_ time.Time, err error) {
			if err == nil {
				n.local.pinned[family] = true
			}
		},
	})
}

// Unpin lets votes change the endpoint again that is pinned for the family of addr. Until they do, the record keeps it.
func (n *Node) Unpin(addr netip.Addr) {
	if family, ok := endpoint.FamilyOf(addr); ok {
		n.turn(func(time.Time) { n.local.pinned[family] = false })
	}
}

// RecordUsage tells which owner has which field of the local record and how many bytes are left.
func (n *Node) RecordUsage() RecordUsage { return n.local.published.Load().usage }

// RecordError is why the newest record could not be saved, nil when all is well.
func (n *Node) RecordError() error { return n.local.published.Load().failed }

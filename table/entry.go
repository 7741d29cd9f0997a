package table

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// Candidate is a node offered to the table. Its record must have been verified.
type Candidate struct {
	Node *enode.Node
	// Addr is the endpoint the host would use. Invalid, unspecified, multicast or port 0 means that there is none.
	Addr netip.AddrPort
	// Bootstrap nodes are never dropped for being silent.
	Bootstrap bool
	// Record is the node's record in RLP if the caller has it at hand, otherwise the table encodes it. It is kept and
	// must not change.
	Record []byte
	// Scope is for the host alone, which finds it again in the entry: what it worked out about the record once.
	Scope uint8
	// CheckWithin bounds the random pause until the first check of a new entry; 0 = 1 s.
	CheckWithin time.Duration
}

// Entry is a node as the table keeps it, in a bucket or as a replacement. It belongs to the table: others only read it,
// and only until the next call that changes the table. An entry that was removed no longer changes.
type Entry struct {
	Node   *enode.Node
	Record []byte         // RLP of the record, as it goes into NODES
	Addr   netip.AddrPort // never 4-in-6
	Scope  uint8          // of the candidate that brought Record

	Bootstrap bool
	// Verified: it answered at Addr and has not failed since. Only such nodes are relayed.
	Verified bool
	Added    time.Time
	LastSeen time.Time     // last answer from Addr; zero = never
	RTT      time.Duration // of the last answer that came with one; 0 = unknown
	// Checks counts answers in a row, those less than 10 s apart as one. From TrustedChecks on a node is trusted.
	Checks int
	// Failures counts failures in a row.
	Failures int

	key      key
	dist     int          // log distance from Self
	group    netip.Prefix // what it counts for in Limits; zero = exempt
	dense    int          // index in Table.all, noIndex for a replacement
	queued   int          // index in the queue it is in, noIndex for a replacement
	paced    bool         // which queue: Table.paced or Table.soon
	due      time.Time    // when the next check may start
	counted  time.Time    // last answer that raised Checks
	failed   time.Time    // last failure that raised Failures
	checking bool         // CheckStarted was called and neither Seen nor Failed since
}

// ID returns the node's id.
func (e *Entry) ID() enode.ID { return e.key.id() }

// LogDist returns the log distance from the table's Self.
func (e *Entry) LogDist() int { return e.dist }

// Trusted reports whether the node answered often enough to get a second chance at once when it fails.
func (e *Entry) Trusted() bool { return e.Checks >= TrustedChecks }

// Result says what Add did.
type Result uint8

// The results of Add. The first six mean that the node is known to the table now.
const (
	Added               Result = iota + 1 // a new entry
	Updated                               // an entry got a record with a higher seq
	Existing                              // an entry already, with this seq or a higher one
	ReplacementAdded                      // the bucket is full, the node is in reserve
	ReplacementUpdated                    // in reserve already, got a record with a higher seq
	ReplacementExisting                   // in reserve already
	LocalNode                             // the local id
	NoAddress                             // no address to reach it at
	AddressLimit                          // too many nodes of its network; an older record of it stays as it is
)

// Results that Add never gives: a host reports by them what it decided before it came to Add.
const (
	Pending  = AddressLimit + 1 + iota // somebody has yet to decide about the node; it may be added later
	Rejected                           // somebody decided against the node
	Banned                             // its id or one of its addresses is banned
)

var resultNames = [...]string{
	Added: "added", Updated: "updated", Existing: "existing",
	ReplacementAdded: "replacement_added", ReplacementUpdated: "replacement_updated",
	ReplacementExisting: "replacement_existing",
	LocalNode:           "local_node", NoAddress: "no_address", AddressLimit: "address_limit",
	Pending: "pending", Rejected: "rejected", Banned: "banned",
}

// String returns the name in lower case with underscores, as it stands in metrics and logs.
func (r Result) String() string {
	if r < Added || int(r) >= len(resultNames) {
		return fmt.Sprintf("result_%d", uint8(r))
	}
	return resultNames[r]
}

// InTable reports whether the node is an entry after the Add.
func (r Result) InTable() bool { return r == Added || r == Updated || r == Existing }

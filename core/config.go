package core

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/discv5/host/codec"
	"github.com/discv5/host/core/internal/limit"
	"github.com/discv5/host/core/internal/udp"
	"github.com/discv5/host/table"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/hashicorp/go-hclog"
)

// PacketConn is a UDP socket as the node uses it. *net.UDPConn is one.
type PacketConn = udp.PacketConn

// Rate is a token bucket: PerSecond tokens a second, and up to Burst at once; a Burst below one counts as one. Zero and
// negative rates have the meaning that [Limits] gives them.
type Rate = limit.Rate

// Config says what node to run. PrivateKey and one of Listen and Conns are required; the zero value of everything else
// is a good default.
type Config struct {
	// PrivateKey is the node's identity (secp256k1).
	PrivateKey *ecdsa.PrivateKey
	// Listen are the addresses to open sockets on, at most one per address family. Port 0 takes a free port.
	// A specific address goes into the local record.
	Listen []netip.AddrPort
	// Conns are open sockets to use in place of Listen, at most one per address family. The node closes them.
	Conns []PacketConn
	// ProtocolID marks the packets of a network; zero is "discv5".
	ProtocolID codec.ProtocolID

	// RecordFile is where the newest local record is kept, so that its sequence number survives a restart.
	// Empty: in memory only.
	RecordFile string
	// NewKey says that PrivateKey was made just now, so that a missing RecordFile is no loss.
	NewKey bool
	// Advertise pins the endpoint in the record, at most one per family; port 0 means the port of the socket. A pinned endpoint is
	// never changed by what peers say.
	Advertise []netip.AddrPort
	// NoAutoUpdate leaves the record alone when a majority of peers sees us at another address; there is only a warning.
	NoAutoUpdate bool
	// Fields are the operator's own pairs for the record.
	Fields []enr.Entry

	// Bootnodes are asked when the table has nobody else. They are never dropped from it.
	Bootnodes []*enode.Node
	// Filters decide about nodes, in this order.
	Filters []FilterConfig
	// Bans hold as long as they stand here: Until does not count, nobody lifts them but SetBans, and no store keeps them. At most 65,536.
	Bans []Ban
	// Store keeps nodes and bans across restarts; nil: memory only.
	Store Store

	// ResponseTimeout is how long a request waits for its response, from the call on; 4 s.
	ResponseTimeout time.Duration
	// ChallengeTimeout is how long a WHOAREYOU waits for its handshake; 2 s.
	ChallengeTimeout time.Duration
	// PingBack bounds the random pause until a newcomer of the table is pinged; 1 s, and five times that once the table
	// is well filled.
	PingBack time.Duration
	// Sessions bounds the established sessions kept; 4096.
	Sessions int
	// Table tunes the routing table. Its Self is set by the node.
	Table table.Config
	// Limits bound the work that peers can cause.
	Limits Limits
	// Talk bounds the TALK requests being served.
	Talk TalkLimits
	// BanInvalid is how long a peer is banned that proves to lie, such as by a response of the wrong kind; 15 min. Negative: never.
	BanInvalid time.Duration
	// NoRefresh leaves the table alone: no lookups of our own, no liveness checks. For one-shot clients.
	NoRefresh bool
	// Workers run handshakes; one per core, at most 1024.
	Workers int
	// VoteThreshold is how many peers must agree on our address; 10, at least 2.
	VoteThreshold int

	// Logger takes the node's messages; nil discards them.
	Logger hclog.Logger
}

// Limits are the inbound limits. A source is an IPv4 address or an IPv6 /64; loopback and LAN sources are exempt. A zero
// PerSecond takes the default, whatever Burst is; a negative one switches a limit off.
type Limits struct {
	// Source bounds, per source, what costs work before a session exists; 50/s, burst 200.
	Source Rate
	// Challenges bounds WHOAREYOU packets in total; 20,000/s.
	Challenges Rate
	// Handshakes bounds handshake packets checked in total; 2,000/s.
	Handshakes Rate
	// Session bounds the requests of one session; 5,000/s.
	Session Rate
}

// TalkLimits bound the TALK requests being served by handlers. What exceeds them is answered empty.
type TalkLimits struct {
	// InFlight bounds all requests that wait for their answer; 1024. Three quarters of them may be of one protocol, and as
	// many handlers of one protocol may run, those included whose deadline has passed: a protocol that hangs leaves the others
	// their places.
	InFlight int
	// PerPeer bounds those of one peer; 128.
	PerPeer int
	// Deadline is when the host answers empty in place of the handler; 300 ms.
	Deadline time.Duration
}

func orDefault[T comparable](v *T, d T) {
	if *v == *new(T) {
		*v = d
	}
}

func defaultRate(r *Rate, perSecond float64, burst int) {
	if r.PerSecond == 0 {
		*r = Rate{PerSecond: perSecond, Burst: burst}
	}
}

// maxWorkers bounds the crypto workers.
const maxWorkers = 1024

func (c *Config) setDefaults() {
	orDefault(&c.ProtocolID, codec.DefaultProtocolID)
	orDefault(&c.ResponseTimeout, 4*time.Second)
	orDefault(&c.ChallengeTimeout, 2*time.Second)
	orDefault(&c.PingBack, time.Second)
	orDefault(&c.Sessions, 4096)
	defaultRate(&c.Limits.Source, 50, 200)
	defaultRate(&c.Limits.Challenges, 20_000, 20_000)
	defaultRate(&c.Limits.Handshakes, 2_000, 2_000)
	defaultRate(&c.Limits.Session, 5_000, 5_000)
	orDefault(&c.Talk.InFlight, 1024)
	orDefault(&c.Talk.PerPeer, 128)
	orDefault(&c.Talk.Deadline, 300*time.Millisecond)
	orDefault(&c.BanInvalid, 15*time.Minute)
	orDefault(&c.VoteThreshold, 10)
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
}

// Validate reports everything that is wrong with a configuration, joined.
func (c *Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("core: "+format, args...)) }
	if c.PrivateKey == nil {
		bad("no private key")
	}
	if len(c.Listen) == 0 && len(c.Conns) == 0 {
		bad("no address to listen on")
	}
	if len(c.Listen) > 0 && len(c.Conns) > 0 {
		bad("both addresses to listen on and open sockets")
	}
	onePerFamily := func(what string, addrs []netip.AddrPort) {
		for i, a := range addrs {
			if !a.Addr().IsValid() {
				bad("%s address %d is not valid", what, i+1)
				continue
			}
			same := func(b netip.AddrPort) bool { return b.Addr().Unmap().Is4() == a.Addr().Unmap().Is4() }
			if slices.IndexFunc(addrs, same) != i {
				bad("%s address %v is the second of its family, and there can be one IPv4 and one IPv6 address", what, a)
			}
		}
	}
	onePerFamily("listen", c.Listen)
	var conns []netip.AddrPort
	for i, pc := range c.Conns {
		if pc == nil {
			bad("open socket %d is nil", i+1)
			continue
		}
		if at := udp.LocalAddr(pc); at.IsValid() {
			conns = append(conns, at)
		} else {
			bad("open socket %d has no UDP address", i+1)
		}
	}
	onePerFamily("open socket", conns)
	onePerFamily("advertised", c.Advertise)
	for _, a := range c.Advertise {
		if a.Addr().IsValid() && (a.Addr().IsUnspecified() || a.Addr().IsMulticast()) {
			bad("advertised address %v is not one that peers can send to", a)
		}
	}
	positive := func(what string, v int64) {
		if v < 0 {
			bad("%s is negative", what)
		}
	}
	positive("ResponseTimeout", int64(c.ResponseTimeout))
	positive("ChallengeTimeout", int64(c.ChallengeTimeout))
	positive("PingBack", int64(c.PingBack))
	positive("Sessions", int64(c.Sessions))
	positive("Talk.InFlight", int64(c.Talk.InFlight))
	positive("Talk.PerPeer", int64(c.Talk.PerPeer))
	positive("Talk.Deadline", int64(c.Talk.Deadline))
	positive("Workers", int64(c.Workers))
	if c.Workers > maxWorkers {
		bad("Workers is %d, and %d is the most", c.Workers, maxWorkers)
	}
	rate := func(what string, r Rate) {
		if math.IsNaN(r.PerSecond) || math.IsInf(r.PerSecond, 0) {
			bad("Limits.%s is not a finite number a second", what)
		}
	}
	rate("Source", c.Limits.Source)
	rate("Challenges", c.Limits.Challenges)
	rate("Handshakes", c.Limits.Handshakes)
	rate("Session", c.Limits.Session)
	positive("VoteThreshold", int64(c.VoteThreshold))
	if c.VoteThreshold == 1 {
		bad("VoteThreshold is 1, and 2 is the least")
	}
	if c.Sessions > 0 && c.Sessions < 4 {
		bad("Sessions is %d, and 4 is the least", c.Sessions)
	}
	for i, b := range c.Bootnodes {
		if b == nil {
			bad("bootnode %d is nil", i+1)
		}
	}
	if len(c.Bans) > maxBans {
		bad("%d bans, and %d are the most", len(c.Bans), maxBans)
	}
	for _, b := range c.Bans {
		errs = append(errs, b.validateSubject())
	}
	errs = append(errs, validateFilters(c.Filters))
	return errors.Join(errs...)
}

package core

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
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

// Rate is a token bucket: so many a second, and so many at once. A zero PerSecond means no limit.
type Rate = limit.Rate

// Config says what node to run. PrivateKey and one of Listen and Conns are required; the zero value of everything else
// is a good default.
type Config struct {
	// PrivateKey is the node's identity (secp256k1).
	PrivateKey *ecdsa.PrivateKey
	// Listen are the addresses to open sockets on, at most one per address family. Port 0 takes a free port.
	// A specific address goes into the local record.
	Listen []netip.AddrPort
	// Conns are open sockets to use in place of Listen. The node closes them.
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
	// Workers run handshakes; one per core.
	Workers int
	// VoteThreshold is how many peers must agree on our address; 10, at least 2.
	VoteThreshold int

	// Logger takes the node's messages; nil discards them.
	Logger hclog.Logger
}

// Limits are the inbound limits. A source is an IPv4 address or an IPv6 /64; loopback and LAN sources are exempt. A zero
// Rate takes the default, a negative PerSecond switches a limit off.
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
	// InFlight bounds all requests; 1024.
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

func (c *Config) setDefaults() {
	orDefault(&c.ProtocolID, codec.DefaultProtocolID)
	orDefault(&c.ResponseTimeout, 4*time.Second)
	orDefault(&c.ChallengeTimeout, 2*time.Second)
	orDefault(&c.PingBack, time.Second)
	orDefault(&c.Sessions, 4096)
	orDefault(&c.Limits.Source, Rate{PerSecond: 50, Burst: 200})
	orDefault(&c.Limits.Challenges, Rate{PerSecond: 20_000, Burst: 20_000})
	orDefault(&c.Limits.Handshakes, Rate{PerSecond: 2_000, Burst: 2_000})
	orDefault(&c.Limits.Session, Rate{PerSecond: 5_000, Burst: 5_000})
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
	positive("VoteThreshold", int64(c.VoteThreshold))
	if c.Sessions > 0 && c.Sessions < 4 {
		bad("Sessions is %d, and 4 is the least", c.Sessions)
	}
	for i, b := range c.Bootnodes {
		if b == nil {
			bad("bootnode %d is nil", i+1)
		}
	}
	errs = append(errs, validateFilters(c.Filters))
	return errors.Join(errs...)
}

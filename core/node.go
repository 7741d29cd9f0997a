package core

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/discv5/host/codec"
	"github.com/discv5/host/core/internal/endpoint"
	"github.com/discv5/host/core/internal/limit"
	"github.com/discv5/host/core/internal/outage"
	"github.com/discv5/host/core/internal/session"
	"github.com/discv5/host/core/internal/udp"
	"github.com/discv5/host/table"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/hashicorp/go-hclog"
)

// maxChallenges bounds the WHOAREYOU challenges that wait for a handshake.
const maxChallenges = 16_384

// Node is a running node. Its methods may be called from any goroutine.
type Node struct {
	// set before the node runs, then read-only
	cfg     Config
	log     hclog.Logger
	self    enode.ID
	links   []*link
	records *recordCache
	local   *localRecord
	events  hub
	jobs    chan job
	ownJobs chan job
	done    chan struct{}
	closing context.Context // ends with done
	cancel  context.CancelFunc
	running sync.WaitGroup
	// handlers are the goroutines of TALK handlers. They start in turns.
	handlers sync.WaitGroup
	drained  atomic.Int64 // Unix nanoseconds of the last read that a socket finished

	mu sync.Mutex // the turn: its holder owns everything below

	closed    bool
	rand      *rand.Rand
	timers    timerHeap
	alarm     *time.Timer
	armed     time.Time // when the alarm rings, zero when it is off
	later     []func(now time.Time)
	sessions  *session.Machine
	table     *table.Table
	calls     map[codec.RequestID]*call
	queries   int
	limits    inboundLimits
	outage    *outage.Detector
	refused   map[netip.AddrPort]time.Time // when the socket last did not take a datagram for an address
	bans      banList
	votes     *endpoint.Votes
	reach     *endpoint.Reachability
	talk      talkState
	filters   *filterChain
	store     *storeWriter
	spaces    map[string]*Space
	guests    []guest
	refresh   refreshState
	checksDue bool
	checks    checkState
	rtt       rttEstimate
	stats     Stats
	answer    answer                    // scratch
	message   [codec.MaxPacketSize]byte // scratch for messages on their way out
}

// link is a socket.
type link struct {
	conn  *udp.Conn
	out   *udp.Writer // owned by the turn
	local netip.AddrPort
}

// Listen opens the sockets and starts the node. Config.Conns are the node's from then on: Close closes them, and so does
// Listen when it returns an error.
func Listen(cfg Config) (*Node, error) {
	if err := cfg.Validate(); err != nil {
		return nil, errors.Join(err, closeConns(cfg.Conns))
	}
	cfg.setDefaults()
	n := &Node{
		cfg: cfg, log: cfg.Logger, self: enode.PubkeyToIDV4(&cfg.PrivateKey.PublicKey),
		records: newRecordCache(),
		jobs:    make(chan job, maxJobs), ownJobs: make(chan job, maxOwnJobs),
		done:  make(chan struct{}),
		calls: make(map[codec.RequestID]*call), refused: make(map[netip.AddrPort]time.Time),
		alarm: time.NewTimer(time.Hour),
	}
	n.alarm.Stop()
	n.closing, n.cancel = context.WithCancel(context.Background())
	if err := n.open(); err != nil {
		return nil, errors.Join(err, n.closeLinks())
	}
	if err := n.assemble(time.Now()); err != nil {
		return nil, errors.Join(err, n.closeLinks())
	}
	n.start()
	return n, nil
}

// open opens the sockets.
func (n *Node) open() error {
	add := func(pc PacketConn) {
		c := udp.NewConn(pc)
		n.links = append(n.links, &link{conn: c, out: udp.NewWriter(c), local: c.LocalAddr()})
	}
	for _, pc := range n.cfg.Conns {
		add(pc)
	}
	for _, addr := range n.cfg.Listen {
		c, err := udp.Listen(addr)
		if err != nil {
			return fmt.Errorf("core: listen on %v: %w", addr, err)
		}
		add(c)
	}
	return nil
}

// assemble makes the parts of the node.
func (n *Node) assemble(now time.Time) (err error) {
	var seed [32]byte
	crand.Read(seed[:])
	n.rand = rand.New(rand.NewChaCha8(seed))
	crand.Read(seed[:])
	if n.local, err = openLocalRecord(now, n); err != nil {
		return err
	}
	tableConfig := n.cfg.Table
	tableConfig.Self = n.self
	if tableConfig.Rand == nil {
		tableConfig.Rand = n.rand
	}
	if n.table, err = table.New(tableConfig); err != nil {
		return fmt.Errorf("core: %w", err)
	}
	n.bans.permanent = new(banList)
	n.limits = inboundLimits{cfg: n.cfg.Limits, sources: limit.NewSources(0), bans: &n.bans}
	n.outage = outage.New(n.cfg.ResponseTimeout)
	n.votes = endpoint.NewVotes(n.cfg.VoteThreshold)
	n.reach = endpoint.NewReachability()
	n.talk = newTalkState()
	n.filters = newFilterChain(n, n.cfg.Filters)
	n.store = newStoreWriter(n)
	n.spaces = make(map[string]*Space)
	n.sessions = session.New(session.Config{
		Key: n.cfg.PrivateKey, Protocol: n.cfg.ProtocolID,
		Record: n.local.node, RecordRLP: n.local.rlp, Known: n.known, Verify: n.records.verify,
		Out: outbox{n}, Limits: &n.limits,
		Capacity: n.cfg.Sessions, MaxChallenges: maxChallenges,
		ChallengeLife: n.cfg.ChallengeTimeout, ConfirmAfter: confirmAfter, KeepReplaced: n.cfg.ResponseTimeout,
		Rand: rand.NewChaCha8(seed),
	})
	return nil
}

// confirmAfter is how long a handshake packet may stay unanswered until the requests behind it go out anyway.
const confirmAfter = 500 * time.Millisecond

// start starts the goroutines.
func (n *Node) start() {
	workers := n.cfg.Workers
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	n.drained.Store(time.Now().UnixNano())
	for range workers {
		n.running.Go(n.work)
	}
	n.running.Go(n.clock)
	n.host("record file", n.local.keep)
	n.host("talk callbacks", n.call)
	n.filters.run()
	n.store.run()
	n.turn(n.begin)
	for _, l := range n.links {
		n.running.Go(func() { n.read(l) })
	}
}

// Close stops the node and waits for its goroutines. Calls under way end with ErrClosed, the contexts of handlers, filters
// and the store end. Of those, of callbacks and of the disk, whatever hangs is abandoned after about a second, and the log says
// so; that includes whoever calls Close itself: a handler, a filter, a store or a callback starts a goroutine for that. Closing twice is harmless.
func (n *Node) Close() error {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		n.running.Wait()
		n.dismiss()
		return nil
	}
	n.closed = true
	close(n.done)
	n.cancel()
	now := time.Now()
	for _, c := range n.calls {
		n.putOff(func(now time.Time) { c.done(now, reply{err: ErrClosed}) })
	}
	clear(n.calls)
	n.runLater(now)
	n.alarm.Stop()
	n.host("talk handlers", n.handlers.Wait)
	n.mu.Unlock()
	err := n.closeLinks()
	n.running.Wait()
	n.dismiss()
	n.events.close()
	return err
}

// closeConns closes sockets that never became links.
func closeConns(conns []PacketConn) error {
	var errs []error
	for _, c := range conns {
		if c != nil {
			errs = append(errs, c.Close())
		}
	}
	return errors.Join(errs...)
}

func (n *Node) closeLinks() error {
	var errs []error
	for _, l := range n.links {
		errs = append(errs, l.conn.Close())
	}
	return errors.Join(errs...)
}

// linkTo returns the socket for an address, nil when there is none of its family.
func (n *Node) linkTo(addr netip.Addr) *link {
	for _, l := range n.links {
		if l.local.Addr().Is4() == addr.Is4() {
			return l
		}
	}
	return nil
}

// outbox puts the datagrams of the session machine where they leave.
type outbox struct{ n *Node }

func (o outbox) Buffer(to netip.AddrPort) []byte {
	if l := o.n.linkTo(to.Addr()); l != nil {
		return l.out.Buffer()
	}
	return make([]byte, 0, codec.MaxPacketSize)
}

func (o outbox) Queue(to netip.AddrPort, datagram []byte) {
	l := o.n.linkTo(to.Addr())
	if l == nil || !to.IsValid() || to.Port() == 0 {
		o.n.stats.SendDropped++
		return
	}
	l.out.Queue(to, datagram)
	o.n.stats.BytesSent += uint64(len(datagram))
}

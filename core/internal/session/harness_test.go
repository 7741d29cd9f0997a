package session

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/discv5/host/codec"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
)

// Times that every machine of the tests is made with.
const (
	challengeLife   = 2 * time.Second
	confirmAfter    = 500 * time.Millisecond
	responseTimeout = 4 * time.Second
)

// world is a network in memory: datagrams and jobs wait in it until a test moves them.
type world struct {
	t     testing.TB
	now   time.Time
	hosts []*host
	wire  []datagram
	jobs  []work
	later bool // jobs wait in jobs, otherwise they run at once
}

type datagram struct {
	from, to netip.AddrPort
	data     []byte
}

type work struct {
	at  *host
	job *Job
}

// host is a machine with just enough of a node around it: it answers PING and TALKREQ, and counts what it is answered.
type host struct {
	w        *world
	m        *Machine
	cfg      Config
	key      *ecdsa.PrivateKey
	record   *enode.Node
	raw      []byte
	addr     netip.AddrPort
	calls    map[codec.RequestID]*call
	served   int // requests
	primed   int // PONGs to primers
	last     Result
	allow    bool // what the limits say
	outcasts map[enode.ID]bool
	strict   bool // whether limits are asked for
	asked    int  // how often they were
	known    map[enode.ID]*enode.Node
	nextCall uint64
}

// call is a request and what came of it.
type call struct {
	from    *host
	request *Request
	answers int
	err     error
}

func newWorld(t testing.TB) *world {
	return &world{t: t, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
}

func keyOf(name string) *ecdsa.PrivateKey {
	sum := sha256.Sum256([]byte(name))
	key, err := crypto.ToECDSA(sum[:])
	if err != nil {
		panic(err)
	}
	return key
}

// recordOf signs a record of the given encoded size, 0 for as small as it gets.
func recordOf(t testing.TB, key *ecdsa.PrivateKey, addr netip.AddrPort, seq uint64, size int) (*enode.Node, []byte) {
	t.Helper()
	for pad := 0; ; pad++ {
		var r enr.Record
		r.Set(enr.IPv4Addr(addr.Addr()))
		r.Set(enr.UDP(addr.Port()))
		if size > 0 {
			r.Set(enr.WithEntry("pad", make([]byte, pad)))
		}
		r.SetSeq(seq)
		if err := enode.SignV4(&r, key); err != nil {
			t.Fatal(err)
		}
		node, err := enode.New(enode.ValidSchemes, &r)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := rlp.EncodeToBytes(&r)
		if err != nil {
			t.Fatal(err)
		}
		if len(raw) >= size {
			return node, raw
		}
	}
}

func verifyRecord(raw []byte) (*enode.Node, error) {
	var r enr.Record
	if err := rlp.DecodeBytes(raw, &r); err != nil {
		return nil, err
	}
	return enode.New(enode.ValidSchemes, &r)
}

func (h *host) AllowChallenge(time.Time, netip.Addr) bool { h.asked++; return h.allow }
func (h *host) Banned(_ time.Time, id enode.ID) bool      { return h.outcasts[id] }
func (h *host) AllowHandshake(time.Time, netip.Addr) bool { h.asked++; return h.allow }
func (h *host) Buffer(netip.AddrPort) []byte              { return make([]byte, 0, codec.MaxPacketSize) }
func (h *host) Queue(to netip.AddrPort, d []byte) {
	if len(d) > codec.MaxPacketSize || len(d) < codec.MinPacketSize {
		h.w.t.Errorf("%v sends %d bytes", h.addr, len(d))
	}
	h.w.wire = append(h.w.wire, datagram{h.addr, to, d})
}

// host adds a host with a public address of its own. adjust may change its configuration.
func (w *world) host(name string, adjust ...func(*host)) *host {
	i := len(w.hosts) + 1
	h := &host{
		w: w, key: keyOf(name), allow: true,
		addr:  netip.AddrPortFrom(netip.AddrFrom4([4]byte{85, byte(i >> 8), byte(i), 7}), 9000),
		calls: make(map[codec.RequestID]*call), known: make(map[enode.ID]*enode.Node),
	}
	h.record, h.raw = recordOf(w.t, h.key, h.addr, 1, 0)
	h.cfg = Config{
		Key: h.key, Protocol: codec.DefaultProtocolID,
		Record: func() *enode.Node { return h.record }, RecordRLP: func() []byte { return h.raw },
		Known:  func(id enode.ID) *enode.Node { return h.known[id] },
		Verify: verifyRecord, Out: h, Limits: h,
		Capacity: 4096, MaxChallenges: 16_384,
		ChallengeLife: challengeLife, ConfirmAfter: confirmAfter, KeepReplaced: responseTimeout,
		Rand: rand.NewChaCha8(sha256.Sum256([]byte(name))),
	}
	for _, f := range adjust {
		f(h)
	}
	h.m = New(h.cfg)
	w.hosts = append(w.hosts, h)
	return h
}

// pair returns two hosts that have not met.
func pair(t testing.TB) (w *world, a, b *host) {
	w = newWorld(t)
	return w, w.host("alice"), w.host("bob")
}

// friends returns two hosts with a session that a opened and that both have used.
func friends(t testing.TB) (w *world, a, b *host) {
	w, a, b = pair(t)
	c := a.pings(b)
	w.settle()
	c.mustBeAnswered("the first PING")
	a.mustPing(b)
	return w, a, b
}

func (h *host) peer() Peer { return Peer{h.record.ID(), h.addr} }

// restarts takes everything that h remembers away from it, its calls included.
func (h *host) restarts() {
	h.cfg.Rand = rand.NewChaCha8(sha256.Sum256([]byte(fmt.Sprint(h.addr, h.w.now, len(h.calls)))))
	h.m = New(h.cfg)
	clear(h.calls)
}

// loses takes the session with a peer away from h.
func (h *host) loses(p *host) { h.m.End(p.peer()) }

func (h *host) id() codec.RequestID {
	h.nextCall++
	id, _ := codec.NewRequestID(fmt.Appendf(nil, "%08d", h.nextCall))
	return id
}

func (h *host) sends(to *host, id codec.RequestID, message []byte) *call {
	c := &call{from: h}
	h.calls[id] = c
	if c.request, c.err = h.m.Send(h.w.now, to.peer(), to.record, message); c.err != nil {
		delete(h.calls, id)
		return c
	}
	c.request.Owner = c
	return c
}

func (h *host) pings(to *host) *call {
	id := h.id()
	return h.sends(to, id, codec.Ping{RequestID: id, ENRSeq: h.record.Seq()}.Append(nil))
}

func (h *host) talks(to *host, size int) *call {
	id := h.id()
	return h.sends(to, id, codec.TalkReq{RequestID: id, Protocol: []byte("echo"), Payload: make([]byte, size)}.Append(nil))
}

// mustPing sends a PING over a world without loss and wants it answered.
func (h *host) mustPing(to *host) {
	h.w.t.Helper()
	c := h.pings(to)
	h.w.settle()
	c.mustBeAnswered("a PING")
}

func (c *call) gives() {
	if c.request != nil {
		c.from.m.Forget(c.from.w.now, c.request)
	}
}

func (c *call) mustBeAnswered(what string) {
	c.from.w.t.Helper()
	if c.answers == 0 {
		c.from.w.t.Errorf("%s was not answered (error %v)", what, c.err)
	}
}

// gets hands a datagram to h.
func (h *host) gets(from netip.AddrPort, data []byte) Result {
	r := h.m.HandlePacket(h.w.now, from, append([]byte(nil), data...))
	h.apply(r)
	return r
}

func (h *host) apply(r Result) {
	h.last = r
	switch {
	case r.Job != nil && h.w.later:
		h.w.jobs = append(h.w.jobs, work{h, r.Job})
	case r.Job != nil:
		r.Job.Run()
		h.apply(h.m.Finish(h.w.now, r.Job))
	case r.Failed != nil:
		r.Failed.Owner.(*call).err = r.Err
		h.m.Forget(h.w.now, r.Failed)
	case r.Message != nil:
		h.reads(r)
	}
}

func (h *host) reads(r Result) {
	kind, body, err := codec.SplitMessage(r.Message)
	if err != nil {
		return
	}
	var id codec.RequestID
	switch kind {
	case codec.PingType:
		m, err := codec.ParsePing(body)
		if err == nil {
			h.served++
			h.m.Reply(r.Session, codec.Pong{RequestID: m.RequestID, ENRSeq: 1, Recipient: r.Peer.Addr}.Append(nil))
		}
		return
	case codec.TalkReqType:
		m, err := codec.ParseTalkReq(body)
		if err == nil {
			h.served++
			h.m.Reply(r.Session, codec.TalkResp{RequestID: m.RequestID, Payload: m.Payload[:min(len(m.Payload), codec.MaxTalkResponse)]}.Append(nil))
		}
		return
	case codec.PongType:
		m, err := codec.ParsePong(body)
		if err != nil {
			return
		}
		id = m.RequestID
	case codec.TalkRespType:
		m, err := codec.ParseTalkResp(body)
		if err != nil {
			return
		}
		id = m.RequestID
	}
	c := h.calls[id]
	if c == nil || c.request.Peer != r.Peer {
		if h.m.Primed(r.Peer, id) {
			h.primed++
		}
		return
	}
	c.answers++
	h.m.Forget(h.w.now, c.request)
}

func (w *world) at(addr netip.AddrPort) *host {
	for _, h := range w.hosts {
		if h.addr == addr {
			return h
		}
	}
	return nil
}

// take removes the i-th datagram from the wire.
func (w *world) take(i int) datagram {
	d := w.wire[i]
	w.wire = append(w.wire[:i:i], w.wire[i+1:]...)
	return d
}

func (w *world) deliver(d datagram) {
	if h := w.at(d.to); h != nil {
		h.gets(d.from, d.data)
	}
}

func (w *world) finish(i int) {
	j := w.jobs[i]
	w.jobs = append(w.jobs[:i:i], w.jobs[i+1:]...)
	j.job.Run()
	j.at.apply(j.at.m.Finish(w.now, j.job))
}

// settle delivers everything in order until nothing moves any more.
func (w *world) settle() {
	w.t.Helper()
	for steps := 0; len(w.wire) > 0 || len(w.jobs) > 0; steps++ {
		if steps > 100_000 {
			w.t.Fatal("the hosts never stop talking")
		}
		if len(w.wire) > 0 {
			w.deliver(w.take(0))
		} else {
			w.finish(0)
		}
		w.check()
	}
}

// passes lets time pass, with every machine told when it asks for it.
func (w *world) passes(d time.Duration) {
	end := w.now.Add(d)
	for {
		next := end
		for _, h := range w.hosts {
			if at := h.m.Next(); !at.IsZero() && at.Before(next) {
				next = at
			}
		}
		if next.After(w.now) {
			w.now = next
		}
		for _, h := range w.hosts {
			h.m.Advance(w.now)
			if at := h.m.Next(); !at.IsZero() && !at.After(w.now) {
				w.t.Fatalf("Advance at %v leaves work for %v", w.now, at)
			}
		}
		w.check()
		if !w.now.Before(end) {
			return
		}
	}
}

// lost drops what is on the wire.
func (w *world) lost() { w.wire = nil }

// sent parses the i-th datagram on the wire as its receiver would.
func (w *world) sent(i int) codec.Packet {
	w.t.Helper()
	if i >= len(w.wire) {
		w.t.Fatalf("%d datagrams on the wire, wanted number %d", len(w.wire), i)
	}
	d := w.wire[i]
	p, err := codec.ParsePacket(append([]byte(nil), d.data...), codec.DefaultProtocolID, w.at(d.to).m.mask)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// wantSent says what must be on the wire, by kind.
func (w *world) wantSent(what string, kinds ...codec.Flag) {
	w.t.Helper()
	var got []codec.Flag
	for i := range w.wire {
		got = append(got, w.sent(i).Flag)
	}
	if fmt.Sprint(got) != fmt.Sprint(kinds) {
		w.t.Fatalf("%s: on the wire are %v, want %v", what, got, kinds)
	}
}

// random makes a packet that claims to be from src and that h cannot decrypt.
func (h *host) random(src enode.ID, nonce codec.Nonce) []byte {
	return codec.AppendRandomPacket(nil, codec.DefaultProtocolID, codec.NewMask(h.record.ID()), codec.IV{1}, nonce, src, make([]byte, codec.RandomPayloadSize))
}

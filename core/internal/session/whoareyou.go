package session

import (
	"slices"
	"time"

	"github.com/discv5/host/codec"
)

// whoareyou handles the answer to a packet that the peer could not decrypt.
//
// The address must be the one that the request went to, the nonce that of the request, and a request gets one
// handshake.
func (m *Machine) whoareyou(now time.Time, from Peer, p *codec.Packet) Result {
	ex := m.byNonce[p.Nonce]
	if ex == nil {
		return dropped(DropUnsolicitedWhoareyou)
	}
	if ex.peer.Addr != from.Addr {
		return dropped(DropWrongAddress)
	}
	if ex.phase == working {
		return dropped(DropRepeatedWhoareyou)
	}
	s := m.cache.lookup(ex.peer)
	if ex.handshake != nil && p.Nonce == ex.opening && s != nil && slices.Contains(s.keys, ex.keys) {
		return m.repeatHandshake(now, ex, p)
	}
	if ex.phase == confirming {
		return dropped(DropRepeatedWhoareyou)
	}
	r := ex.meant(p.Nonce)
	if r == nil {
		return dropped(DropUnsolicitedWhoareyou)
	}
	if r.challenged {
		return dropped(DropRepeatedWhoareyou)
	}
	node := m.record(ex.peer, r.node)
	if node == nil || node.Pubkey() == nil {
		return Result{Peer: ex.peer, Failed: r, Err: ErrNoRecord}
	}
	r.challenged = true
	if r.keys != nil {
		r.keys.refused = true
	}
	job := &Job{kind: initiate, peer: ex.peer, node: node, self: m.self, key: m.cfg.Key, request: r, opening: p.Nonce, enrSeq: p.ENRSeq}
	job.challenge = [codec.ChallengeDataSize]byte(p.Header)
	ex.phase, ex.job = working, job
	return Result{Peer: ex.peer, Job: job}
}

// meant returns the request that a WHOAREYOU with this nonce asks for, nil if it is forgotten. A challenge for a packet
// whose session is gone since serves the request that knocks.
func (ex *exchange) meant(n codec.Nonce) *Request {
	if i := slices.IndexFunc(ex.inFlight, func(r *Request) bool { return r.nonce == n }); i >= 0 {
		return ex.inFlight[i]
	}
	if i := slices.IndexFunc(ex.inFlight, ex.asks); i >= 0 && ex.phase == asking {
		return ex.inFlight[i]
	}
	return nil
}

// repeatHandshake sends the handshake packet once more, byte for byte, when the peer repeats the challenge that it
// answered long after it should have arrived: it was lost.
func (m *Machine) repeatHandshake(now time.Time, ex *exchange, p *codec.Packet) Result {
	if ex.repeated || ex.keys.confirmed || now.Sub(ex.sent) < m.cfg.ConfirmAfter || [codec.ChallengeDataSize]byte(p.Header) != ex.answered {
		return dropped(DropRepeatedWhoareyou)
	}
	ex.repeated = true
	for _, r := range ex.inFlight {
		if r != ex.carried && r.keys == ex.keys {
			r.keys = nil // the peer could not read it yet
		}
	}
	m.transmitHandshake(now, ex)
	return Result{Peer: ex.peer}
}

func (m *Machine) transmitHandshake(now time.Time, ex *exchange) {
	ex.phase, ex.sent, ex.due = confirming, now, now.Add(m.cfg.ConfirmAfter)
	m.openings.push(ex, ex.due)
	m.linger(now, ex)
	m.cfg.Out.Queue(ex.peer.Addr, append(m.cfg.Out.Buffer(ex.peer.Addr), ex.handshake...))
	m.stats.HandshakesSent++
}

// initiated sends the handshake packet, with the request in it where it fits.
func (m *Machine) initiated(now time.Time, j *Job) Result {
	ex := m.exchanges[j.peer]
	if ex == nil || ex.job != j {
		return dropped(DropStaleJob) // the peer's own handshake came first
	}
	ex.job = nil
	if j.drop != 0 {
		j.request.challenged = false
		m.rest(now, ex)
		return dropped(j.drop)
	}
	k := &keySet{seal: codec.NewCipher(j.keys.Initiator), open: codec.NewCipher(j.keys.Recipient)}
	s, evicted := m.install(now, j.peer, k, true)
	if s.Node == nil || s.Node.Seq() < j.node.Seq() {
		s.Node = j.node
	}
	// Spec: "If the sequence number in the challenge is lower, it includes its record into the handshake message
	// packet." and "If `enr-seq` is zero, the record must be sent."
	if j.enrSeq == 0 || j.enrSeq < m.cfg.Record().Seq() {
		j.handshake.Record = m.cfg.RecordRLP()
	}
	carried, message := m.cargo(now, ex, j)
	nonce := m.nonce(k)
	m.open(ex, j.opening)
	ex.handshake = codec.AppendHandshakePacket(make([]byte, 0, codec.MaxPacketSize), m.cfg.Protocol, s.mask, m.iv(), nonce, m.self,
		&j.handshake, k.seal, message)
	ex.answered, ex.keys, ex.carried, ex.repeated = j.challenge, k, carried, false
	if carried != nil {
		m.list(now, carried, k, nonce)
		carried.challenged = true
	}
	m.transmitHandshake(now, ex)
	return Result{Peer: j.peer, Evicted: evicted}
}

// cargo chooses the message of a handshake packet: the request that was challenged, or the next in line if that one is
// forgotten. A PING takes the place of a request that does not fit beside the record, or that does not exist any more.
func (m *Machine) cargo(now time.Time, ex *exchange, j *Job) (*Request, []byte) {
	r := j.request
	queued := r.ex == nil
	if queued {
		if len(ex.queue) == 0 {
			return nil, m.primer(now, j.peer)
		}
		r = ex.queue[0]
	}
	if codec.HandshakePacketSize(len(j.handshake.Record), len(r.message)) > codec.MaxPacketSize {
		return nil, m.primer(now, j.peer)
	}
	if queued {
		ex.queue = slices.Delete(ex.queue, 0, 1)
		ex.inFlight = append(ex.inFlight, r)
	}
	return r, r.message
}

// open notes the nonce of the challenge that is being answered, in place of the last one.
func (m *Machine) open(ex *exchange, n codec.Nonce) {
	if ex.opening != n {
		ex.handshake = nil
		m.unlist(ex, ex.opening)
	}
	ex.opening = n
	m.byNonce[n] = ex
}

// Abandon takes back a job that was not run; its peer may try again.
func (m *Machine) Abandon(now time.Time, j *Job) {
	if j.kind == accept {
		j.pending.tries--
		return
	}
	if ex := m.exchanges[j.peer]; ex != nil && ex.job == j {
		j.request.challenged = false
		m.rest(now, ex)
	}
}

package core

import (
	"bytes"
	"crypto/ecdsa"
	crand "crypto/rand"
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/discv5/host/codec"
	"github.com/discv5/host/core/internal/netsim"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/rlp"
)

// peer is a node that does exactly what a test tells it to, well-behaved or not. Its packets are made and opened by package
// codec alone. It belongs to the goroutine of the test, or after serve to that of its script.
type peer struct {
	s    *sim
	key  *ecdsa.PrivateKey
	node *enode.Node
	addr netip.AddrPort
	sock *netsim.Socket
	mask *codec.Mask

	keys    map[netip.AddrPort]*peerKeys
	pending map[netip.AddrPort][codec.ChallengeDataSize]byte // WHOAREYOU that we sent
	counter uint32
}

// peerKeys are those of a session with the node at an address.
type peerKeys struct {
	id         enode.ID
	seal, open *codec.Cipher
}

// packet is what a peer received.
type packet struct {
	codec.Packet
	from    netip.AddrPort
	raw     []byte            // the datagram
	message []byte            // decrypted, nil if the peer has no keys for it
	kind    codec.MessageType // of message
	body    []byte
}

// peer makes a peer at a public address of its own.
func (s *sim) peer() *peer { return s.peerWith(newKey(s.t), s.addr()) }

func (s *sim) peerAt(addr string) *peer { return s.peerWith(newKey(s.t), addrPort(addr)) }

func (s *sim) peerWith(key *ecdsa.PrivateKey, addr netip.AddrPort) *peer {
	return newPeer(s, key, addr, s.net.Listen(addr))
}

func newPeer(s *sim, key *ecdsa.PrivateKey, addr netip.AddrPort, sock *netsim.Socket) *peer {
	return &peer{
		s: s, key: key, node: signed(s.t, key, 1, addr), addr: addr, sock: sock,
		mask:    codec.NewMask(enode.PubkeyToIDV4(&key.PublicKey)),
		keys:    make(map[netip.AddrPort]*peerKeys),
		pending: make(map[netip.AddrPort][codec.ChallengeDataSize]byte),
	}
}

// another is a second identity on the socket of p.
func (p *peer) another() *peer { return newPeer(p.s, newKey(p.s.t), p.addr, p.sock) }

func (p *peer) id() enode.ID { return p.node.ID() }

func (p *peer) iv() (iv codec.IV) {
	crand.Read(iv[:])
	return iv
}

func (p *peer) nonce() (n codec.Nonce) {
	p.counter++
	binary.BigEndian.PutUint32(n[:], p.counter)
	crand.Read(n[4:])
	return n
}

// write sends a datagram as it is.
func (p *peer) write(to netip.AddrPort, datagram []byte) {
	if _, err := p.sock.WriteToUDPAddrPort(datagram, to); err != nil {
		p.s.t.Errorf("scripted peer writes: %v", err)
	}
}

// read waits for a packet.
func (p *peer) read(wait time.Duration) (packet, bool) {
	p.sock.SetReadDeadline(time.Now().Add(wait))
	return p.readOne()
}

func (p *peer) readOne() (packet, bool) {
	var buf [2048]byte
	n, from, err := p.sock.ReadFromUDPAddrPort(buf[:])
	if err != nil {
		return packet{}, false
	}
	got := packet{from: from, raw: bytes.Clone(buf[:n])}
	if got.Packet, err = codec.ParsePacket(bytes.Clone(buf[:n]), codec.DefaultProtocolID, p.mask); err != nil {
		p.s.t.Errorf("node sent a bad packet: %v", err)
		return packet{}, false
	}
	if k := p.keys[from]; k != nil && got.Flag == codec.FlagMessage {
		if message, err := k.open.Open(nil, &got.Packet); err == nil {
			got.setMessage(message)
		}
	}
	return got, true
}

func (g *packet) setMessage(message []byte) {
	g.message = message
	g.kind, g.body, _ = codec.SplitMessage(message)
}

// want waits for a packet of a kind and fails the test if another one or none comes.
func (p *peer) want(flag codec.Flag) packet {
	p.s.t.Helper()
	got, ok := p.read(time.Second)
	if !ok {
		p.s.t.Fatalf("no packet came, want %v", flag)
	}
	if got.Flag != flag {
		p.s.t.Fatalf("a packet with flag %v came, want %v", got.Flag, flag)
	}
	return got
}

// wantMessage waits for a message of a type over the session and fails the test if anything else comes.
func (p *peer) wantMessage(kind codec.MessageType) packet {
	p.s.t.Helper()
	got := p.want(codec.FlagMessage)
	if got.message == nil {
		p.s.t.Fatalf("an undecryptable packet came, want %v", kind)
	}
	if got.kind != kind {
		p.s.t.Fatalf("message %v came, want %v", got.kind, kind)
	}
	return got
}

// silence checks that nothing comes.
func (p *peer) silence(wait time.Duration, why string) {
	p.s.t.Helper()
	if got, ok := p.read(wait); ok {
		p.s.t.Errorf("%s: a packet with flag %v came, message %x", why, got.Flag, got.message)
	}
}

// random sends what nobody can decrypt and returns its nonce.
func (p *peer) random(n *Node) codec.Nonce { return p.randomTo(n.ID(), n.LocalAddrs()[0], p.nonce()) }

func (p *peer) randomTo(id enode.ID, addr netip.AddrPort, nonce codec.Nonce) codec.Nonce {
	var junk [codec.RandomPayloadSize]byte
	crand.Read(junk[:])
	p.write(addr, codec.AppendRandomPacket(nil, codec.DefaultProtocolID, codec.NewMask(id), p.iv(), nonce, p.id(), junk[:]))
	return nonce
}

// handshake makes the packet that answers a WHOAREYOU, and takes its keys into use.
func (p *peer) handshake(n *Node, who packet, message []byte, record *enode.Node) []byte {
	p.s.t.Helper()
	ephemeral, err := crypto.GenerateKey()
	if err != nil {
		p.s.t.Fatal(err)
	}
	var hs codec.Handshake
	copy(hs.EphemeralKey[:], crypto.CompressPubkey(&ephemeral.PublicKey))
	if hs.Signature, err = codec.SignIDNonce(p.key, who.Header, hs.EphemeralKey, n.ID()); err != nil {
		p.s.t.Fatal(err)
	}
	if record != nil {
		hs.Record = encoded(p.s.t, record)
	}
	keys := codec.DeriveKeys(codec.ECDH(ephemeral, n.Self().Pubkey()), who.Header, p.id(), n.ID())
	k := &peerKeys{id: n.ID(), seal: codec.NewCipher(keys.Initiator), open: codec.NewCipher(keys.Recipient)}
	p.keys[who.from] = k
	return codec.AppendHandshakePacket(nil, codec.DefaultProtocolID, codec.NewMask(n.ID()), p.iv(), p.nonce(), p.id(), &hs, k.seal, message)
}

// dial opens a session with a node by a PING, and returns the PONG.
func (p *peer) dial(n *Node) codec.Pong {
	p.s.t.Helper()
	p.random(n)
	who := p.want(codec.FlagWhoareyou)
	p.write(who.from, p.handshake(n, who, codec.Ping{RequestID: requestID("dial"), ENRSeq: p.node.Seq()}.Append(nil), p.node))
	pong, err := codec.ParsePong(p.wantMessage(codec.PongType).body)
	if err != nil {
		p.s.t.Fatal(err)
	}
	return pong
}

func requestID(text string) codec.RequestID {
	id, err := codec.NewRequestID([]byte(text))
	if err != nil {
		panic(err)
	}
	return id
}

// send sends a message over the session with the node at an address.
func (p *peer) send(to netip.AddrPort, message []byte) {
	p.s.t.Helper()
	if d := p.sealed(to, message); d != nil {
		p.write(to, d)
	}
}

// sealed makes a packet of the session with the node at an address.
func (p *peer) sealed(to netip.AddrPort, message []byte) []byte {
	k := p.keys[to]
	if k == nil {
		p.s.t.Errorf("scripted peer has no session with %v", to)
		return nil
	}
	return codec.AppendMessagePacket(nil, codec.DefaultProtocolID, codec.NewMask(k.id), p.iv(), p.nonce(), p.id(), k.seal, message)
}

// challenge answers a packet with WHOAREYOU, which asks for the record if seq is 0.
func (p *peer) challenge(got packet, id enode.ID, seq uint64) []byte {
	var idNonce codec.IDNonce
	crand.Read(idNonce[:])
	data := codec.WhoareyouChallengeData(codec.DefaultProtocolID, p.iv(), got.Nonce, idNonce, seq)
	p.pending[got.from] = data
	return codec.AppendWhoareyouFromChallengeData(nil, codec.NewMask(id), data)
}

// opened takes a handshake packet: the session is up, and the message in the packet readable. It reports false for one that does not
// fit the challenge.
func (p *peer) opened(got *packet, public *ecdsa.PublicKey) bool {
	data, ok := p.pending[got.from]
	if !ok || got.Flag != codec.FlagHandshake {
		return false
	}
	if codec.VerifyIDNonce(got.Signature, public, data[:], got.EphemeralKey, p.id()) != nil {
		return false
	}
	ephemeral, err := codec.ParseEphemeralKey(got.EphemeralKey)
	if err != nil {
		return false
	}
	keys := codec.DeriveKeys(codec.ECDH(p.key, ephemeral), data[:], got.SrcID, p.id())
	message, err := codec.NewCipher(keys.Initiator).Open(nil, &got.Packet)
	if err != nil {
		return false
	}
	got.setMessage(message)
	p.keys[got.from] = &peerKeys{id: got.SrcID, seal: codec.NewCipher(keys.Recipient), open: codec.NewCipher(keys.Initiator)}
	return true
}

// accept lets a node that just knocked open its session, and returns the request that came in its handshake.
func (p *peer) accept(n *Node) packet {
	p.s.t.Helper()
	knock := p.want(codec.FlagMessage)
	p.write(knock.from, p.challenge(knock, n.ID(), 0))
	got := p.want(codec.FlagHandshake)
	if !p.opened(&got, n.Self().Pubkey()) {
		p.s.t.Fatal("the node's handshake does not verify")
	}
	return got
}

// serve makes the peer open and accept sessions by itself, and answer messages as the script says, until the test ends. The
// script runs on a goroutine of its own.
func (p *peer) serve(n *Node, script func(got packet)) {
	public := n.Self().Pubkey()
	p.sock.SetReadDeadline(time.Time{})
	done := make(chan struct{})
	p.s.t.Cleanup(func() {
		p.sock.Close()
		<-done
	})
	go func() {
		defer close(done)
		for {
			got, ok := p.readOne()
			switch {
			case !ok:
				return
			case got.Flag == codec.FlagMessage && got.message == nil:
				p.write(got.from, p.challenge(got, got.SrcID, 0))
			case got.Flag == codec.FlagHandshake && p.opened(&got, public), got.message != nil:
				script(got)
			}
		}
	}()
}

// pong answers PING as an honest node does, and says that the asker is at an address.
func (p *peer) pong(got packet, recipient netip.AddrPort) {
	if ping, err := codec.ParsePing(got.body); err == nil {
		p.send(got.from, codec.Pong{RequestID: ping.RequestID, ENRSeq: p.node.Seq(), Recipient: recipient}.Append(nil))
	}
}

// polite answers PING, and FINDNODE with nodes.
func (p *peer) polite(nodes ...*enode.Node) func(packet) {
	return func(got packet) {
		switch got.kind {
		case codec.PingType:
			p.pong(got, got.from)
		case codec.FindNodeType:
			p.nodes(got, 1, nodes...)
		}
	}
}

// nodes sends one NODES packet with a total and records.
func (p *peer) nodes(got packet, total int, nodes ...*enode.Node) {
	if m, err := codec.ParseFindNode(got.body); err == nil {
		p.send(got.from, p.nodesMessage(m.RequestID, total, nodes...))
	}
}

func (p *peer) nodesMessage(id codec.RequestID, total int, nodes ...*enode.Node) []byte {
	var records [][]byte
	for _, n := range nodes {
		records = append(records, encoded(p.s.t, n))
	}
	return codec.AppendNodes(nil, id, total, records)
}

// listOf is the body of a message as anybody may compose it.
func listOf(kind codec.MessageType, fields ...any) []byte {
	b, err := rlp.EncodeToBytes(fields)
	if err != nil {
		panic(err)
	}
	return append([]byte{byte(kind)}, b...)
}

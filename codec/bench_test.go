package codec

import (
	"net/netip"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
)

var sink int // keeps results alive

// benchMessages are the messages of the benchmarks. NODES is one packet's share
// of an answer; BenchmarkNodes16 is a whole one.
func benchMessages(b *testing.B) map[string]func([]byte) []byte {
	id := requestID(b, 1, 2, 3, 4, 5, 6, 7, 8)
	return map[string]func([]byte) []byte{
		"PING":         Ping{id, 1 << 40}.Append,
		"PONG":         Pong{id, 1 << 40, netip.MustParseAddrPort("192.0.2.1:30303")}.Append,
		"FINDNODE":     FindNode{id, NewDistances(256, 255, 254)}.Append,
		"TALKREQ-32":   TalkReq{id, []byte("utp"), random(32, 1)}.Append,
		"TALKREQ-1000": TalkReq{id, []byte("utp"), random(1000, 1)}.Append,
	}
}

// BenchmarkEncode appends a message and seals it into a packet.
func BenchmarkEncode(b *testing.B) {
	from, to, c := newPeer(b, 1), newPeer(b, 2), NewCipher(packetKey)
	for name, appendMessage := range benchMessages(b) {
		b.Run(name, func(b *testing.B) {
			message, pkt := make([]byte, 0, MaxPacketSize), make([]byte, 0, MaxPacketSize)
			b.ReportAllocs()
			for b.Loop() {
				message = appendMessage(message[:0])
				pkt = AppendMessagePacket(pkt[:0], DefaultProtocolID, to.mask, packetIV, packetNonce, from.id, c, message)
			}
			sink = len(pkt)
		})
	}
}

// BenchmarkDecode parses a packet, opens it in place and parses the message.
func BenchmarkDecode(b *testing.B) {
	for name, appendMessage := range benchMessages(b) {
		b.Run(name, func(b *testing.B) { benchDecode(b, appendMessage(nil)) })
	}
}

func benchDecode(b *testing.B, message []byte) {
	from, to, c := newPeer(b, 1), newPeer(b, 2), NewCipher(packetKey)
	pkt := AppendMessagePacket(nil, DefaultProtocolID, to.mask, packetIV, packetNonce, from.id, c, message)
	buf := make([]byte, len(pkt))
	b.ReportAllocs()
	for b.Loop() {
		copy(buf, pkt)
		p, err := ParsePacket(buf, DefaultProtocolID, to.mask)
		if err != nil {
			b.Fatal(err)
		}
		plain, err := c.Open(p.Ciphertext[:0], &p)
		if err != nil {
			b.Fatal(err)
		}
		parseAny(b, plain)
	}
}

func parseAny(b *testing.B, plain []byte) {
	kind, body, err := SplitMessage(plain)
	if err != nil {
		b.Fatal(err)
	}
	switch kind {
	case PingType:
		_, err = ParsePing(body)
	case PongType:
		_, err = ParsePong(body)
	case FindNodeType:
		_, err = ParseFindNode(body)
	case NodesType:
		_, err = ParseNodes(body)
	case TalkReqType:
		_, err = ParseTalkReq(body)
	}
	if err != nil {
		b.Fatal(err)
	}
}

// benchRecords are 16 records of 119 bytes: 10 fit a packet.
func benchRecords(b *testing.B) [][]byte {
	var records [][]byte
	for i := range byte(16) {
		records = append(records, newPeer(b, i+1).record(b, 1))
	}
	return records
}

func BenchmarkNodes16(b *testing.B) {
	id := requestID(b, 1, 2, 3, 4, 5, 6, 7, 8)
	records := benchRecords(b)
	b.Run("encode", func(b *testing.B) {
		from, to, c := newPeer(b, 1), newPeer(b, 2), NewCipher(packetKey)
		message, pkt := make([]byte, 0, MaxPacketSize), make([]byte, 0, MaxPacketSize)
		b.ReportAllocs()
		for b.Loop() {
			for rest := records; len(rest) > 0; {
				n := FitNodes(id, rest)
				message = AppendNodes(message[:0], id, 2, rest[:n])
				pkt = AppendMessagePacket(pkt[:0], DefaultProtocolID, to.mask, packetIV, packetNonce, from.id, c, message)
				rest = rest[n:]
			}
		}
		sink = len(pkt)
	})
	first := FitNodes(id, records)
	b.Run("decode first packet", func(b *testing.B) { benchDecode(b, AppendNodes(nil, id, 2, records[:first])) })
}

func BenchmarkWhoareyou(b *testing.B) {
	to := newPeer(b, 2)
	b.Run("encode", func(b *testing.B) {
		pkt := make([]byte, 0, MaxPacketSize)
		b.ReportAllocs()
		for b.Loop() {
			pkt = AppendWhoareyou(pkt[:0], DefaultProtocolID, to.mask, packetIV, packetNonce, IDNonce{}, 1)
		}
		sink = len(pkt)
	})
	b.Run("decode", func(b *testing.B) {
		pkt := AppendWhoareyou(nil, DefaultProtocolID, to.mask, packetIV, packetNonce, IDNonce{}, 1)
		buf := make([]byte, len(pkt))
		b.ReportAllocs()
		for b.Loop() {
			copy(buf, pkt)
			if _, err := ParsePacket(buf, DefaultProtocolID, to.mask); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkUndecryptable(b *testing.B) {
	from, to, c := newPeer(b, 1), newPeer(b, 2), NewCipher(packetKey)
	pkt := AppendRandomPacket(nil, DefaultProtocolID, to.mask, packetIV, packetNonce, from.id, random(RandomPayloadSize, 1))
	buf := make([]byte, len(pkt))
	b.ReportAllocs()
	for b.Loop() {
		copy(buf, pkt)
		p, err := ParsePacket(buf, DefaultProtocolID, to.mask)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.Open(p.Ciphertext[:0], &p); err == nil {
			b.Fatal("opened")
		}
	}
}

// BenchmarkHandshake is the work of each side, from WHOAREYOU to an open message.
func BenchmarkHandshake(b *testing.B) {
	from, to, eph := newPeer(b, 1), newPeer(b, 2), newPeer(b, 3)
	data := WhoareyouChallengeData(DefaultProtocolID, packetIV, packetNonce, IDNonce{}, 0)
	record := from.record(b, 1)
	initiate := func(pkt []byte) []byte {
		hs := Handshake{EphemeralKey: [33]byte(crypto.CompressPubkey(&eph.key.PublicKey)), Record: record}
		var err error
		if hs.Signature, err = SignIDNonce(from.key, data[:], hs.EphemeralKey, to.id); err != nil {
			b.Fatal(err)
		}
		keys := DeriveKeys(ECDH(eph.key, &to.key.PublicKey), data[:], from.id, to.id)
		return AppendHandshakePacket(pkt, DefaultProtocolID, to.mask, packetIV, packetNonce, from.id, &hs,
			NewCipher(keys.Initiator), packetText)
	}
	b.Run("initiator", func(b *testing.B) {
		pkt := make([]byte, 0, MaxPacketSize)
		b.ReportAllocs()
		for b.Loop() {
			pkt = initiate(pkt[:0])
		}
	})
	b.Run("recipient", func(b *testing.B) {
		pkt := initiate(nil)
		buf := make([]byte, len(pkt))
		b.ReportAllocs()
		for b.Loop() {
			copy(buf, pkt)
			p, err := ParsePacket(buf, DefaultProtocolID, to.mask)
			if err != nil {
				b.Fatal(err)
			}
			if err := VerifyIDNonce(p.Signature, &from.key.PublicKey, data[:], p.EphemeralKey, to.id); err != nil {
				b.Fatal(err)
			}
			pub, err := ParseEphemeralKey(p.EphemeralKey)
			if err != nil {
				b.Fatal(err)
			}
			keys := DeriveKeys(ECDH(to.key, pub), data[:], from.id, to.id)
			if _, err := NewCipher(keys.Initiator).Open(p.Ciphertext[:0], &p); err != nil {
				b.Fatal(err)
			}
		}
	})
	secret := ECDH(eph.key, &to.key.PublicKey)
	b.Run("derive keys", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			keys := DeriveKeys(secret, data[:], from.id, to.id)
			sink = int(keys.Initiator[0])
		}
	})
	b.Run("new cipher", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			NewCipher(packetKey)
		}
	})
	b.Run("new mask", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			NewMask(to.id)
		}
	})
}

package codec

import (
	"bytes"
	"testing"
)

// FuzzPacket gives ParsePacket an unmasked header and what follows: masked bytes
// would hardly ever get past the protocol id.
func FuzzPacket(f *testing.F) {
	b := newPeer(f, 2)
	for _, s := range samplePackets(f) {
		clear := bytes.Clone(s.bytes)
		p, err := ParsePacket(clear, DefaultProtocolID, b.mask)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(clear, len(p.Header))
	}
	for _, name := range []string{"ping message", "whoareyou", "ping handshake", "ping handshake with record"} {
		v := vectors(f)[name]
		clear := v.bytes("packet")
		p, err := ParsePacket(clear, DefaultProtocolID, NewMask(v.id("dest-node-id")))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(clear, len(p.Header))
	}
	c := NewCipher(packetKey)
	f.Fuzz(func(t *testing.T, datagram []byte, masked int) {
		input := bytes.Clone(datagram)
		if len(datagram) >= IVSize {
			b.mask.xor(datagram, 0, min(max(masked-IVSize, 0), len(datagram)-IVSize))
		}
		wire := bytes.Clone(datagram)
		p, err := ParsePacket(datagram, DefaultProtocolID, b.mask)
		if err != nil {
			if p.Header != nil {
				t.Fatalf("%x: a packet comes with %v", input, err)
			}
			return
		}
		if len(p.Header)+len(p.Ciphertext) != len(wire) {
			t.Fatalf("%x: header and ciphertext of %d and %d bytes", input, len(p.Header), len(p.Ciphertext))
		}
		before := bytes.Clone(p.Ciphertext)
		if _, err := c.Open(p.Ciphertext[:0], &p); err != nil && !bytes.Equal(p.Ciphertext, before) {
			t.Fatalf("%x: the ciphertext is gone", input)
		}
		if again := assemble(&p, b.mask, before); !bytes.Equal(again, wire) {
			t.Fatalf("%x is put together as %x", wire, again)
		}
	})
}

// assemble makes a packet of the same contents, its ciphertext given.
func assemble(p *Packet, to *Mask, ciphertext []byte) []byte {
	iv := IV(p.Header)
	switch p.Flag {
	case FlagWhoareyou:
		return AppendWhoareyou(nil, DefaultProtocolID, to, iv, p.Nonce, p.IDNonce, p.ENRSeq)
	case FlagMessage:
		return AppendRandomPacket(nil, DefaultProtocolID, to, iv, p.Nonce, p.SrcID, ciphertext)
	}
	hs := Handshake{[64]byte(p.Signature), [33]byte(p.EphemeralKey), p.Record}
	pkt := AppendHandshakePacket(nil, DefaultProtocolID, to, iv, p.Nonce, p.SrcID, &hs,
		NewCipher(packetKey), make([]byte, len(ciphertext)-TagSize))
	copy(pkt[len(p.Header):], ciphertext)
	return pkt
}

// FuzzMessage checks that what parses can be written, read and written the same.
func FuzzMessage(f *testing.F) {
	for _, m := range messages(f) {
		f.Add(unhex(f, m.hex))
	}
	f.Add([]byte{0x07, 0xc0})
	f.Fuzz(func(t *testing.T, plain []byte) {
		kind, body, err := SplitMessage(plain)
		if err != nil {
			return
		}
		if parse := parsers[kind]; parse != nil && len(body) <= MaxPacketSize {
			checkReencodes(t, parse, body)
		}
	})
}

package codec

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
)

// peer is one end of a conversation, with everything fixed by its seed.
type peer struct {
	key  *ecdsa.PrivateKey
	id   enode.ID
	mask *Mask // of packets sent to this peer
}

func newPeer(t testing.TB, seed byte) peer {
	t.Helper()
	key, err := crypto.ToECDSA(bytes.Repeat([]byte{seed}, 32))
	if err != nil {
		t.Fatal(err)
	}
	id := enode.PubkeyToIDV4(&key.PublicKey)
	return peer{key, id, NewMask(id)}
}

// record returns the smallest valid record of the peer, 119 bytes.
func (p peer) record(t testing.TB, seq uint64) []byte {
	t.Helper()
	var r enr.Record
	r.SetSeq(seq)
	if err := enode.SignV4(&r, p.key); err != nil {
		t.Fatal(err)
	}
	b, err := rlp.EncodeToBytes(&r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func random(n int, seed byte) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

// packetKey, packetNonce and packetIV are those of every packet of samplePackets.
var (
	packetKey   = [16]byte(bytes.Repeat([]byte{7}, 16))
	packetNonce = Nonce{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
	packetIV    = IV{0xff, 0xfe}
	packetText  = []byte{0x01, 0xc2, 0x01, 0x01}
)

type samplePacket struct {
	name   string
	bytes  []byte
	sealed bool // opens with packetKey
}

// samplePackets are valid packets of all kinds from peer 1 to peer 2.
func samplePackets(t testing.TB) []samplePacket {
	a, b := newPeer(t, 1), newPeer(t, 2)
	c := NewCipher(packetKey)
	hs := Handshake{Signature: [64]byte(random(64, 1)), EphemeralKey: [33]byte(random(33, 2))}
	withRecord := hs
	withRecord.Record = a.record(t, 9)
	return []samplePacket{
		{"message", AppendMessagePacket(nil, DefaultProtocolID, b.mask, packetIV, packetNonce, a.id, c, packetText), true},
		{"random", AppendRandomPacket(nil, DefaultProtocolID, b.mask, packetIV, packetNonce, a.id, random(RandomPayloadSize, 3)), false},
		{"whoareyou", AppendWhoareyou(nil, DefaultProtocolID, b.mask, packetIV, packetNonce, IDNonce{5}, 77), false},
		{"handshake", AppendHandshakePacket(nil, DefaultProtocolID, b.mask, packetIV, packetNonce, a.id, &hs, c, packetText), true},
		{"handshake with record", AppendHandshakePacket(nil, DefaultProtocolID, b.mask, packetIV, packetNonce, a.id, &withRecord, c, packetText), true},
	}
}

func TestMessagePacketRoundTrip(t *testing.T) {
	a, b := newPeer(t, 1), newPeer(t, 2)
	c := NewCipher(packetKey)
	for size := 1; size <= MaxMessageSize; size++ {
		message := random(size, 1)
		pkt := AppendMessagePacket(nil, DefaultProtocolID, b.mask, packetIV, packetNonce, a.id, c, message)
		if len(pkt) != MessagePacketSize(size) {
			t.Fatalf("packet of a %d byte message is %d bytes, want %d", size, len(pkt), MessagePacketSize(size))
		}
		p, err := ParsePacket(pkt, DefaultProtocolID, b.mask)
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		if p.Flag != FlagMessage || p.Nonce != packetNonce || p.SrcID != a.id || IV(p.Header) != packetIV {
			t.Fatalf("%d bytes: header %+v", size, p)
		}
		got, err := c.Open(nil, &p)
		if err != nil || !bytes.Equal(got, message) {
			t.Fatalf("%d bytes: opened to %x, %v", size, got, err)
		}
	}
}

func TestRandomPacketIsUndecryptableMessage(t *testing.T) {
	a, b := newPeer(t, 1), newPeer(t, 2)
	for size := range 60 { // from none at all: strangers may send what they like
		pkt := AppendRandomPacket(nil, DefaultProtocolID, b.mask, packetIV, packetNonce, a.id, random(size, 1))
		p, err := ParsePacket(pkt, DefaultProtocolID, b.mask)
		if err != nil {
			t.Fatalf("%d random bytes: %v", size, err)
		}
		if p.Flag != FlagMessage || p.Nonce != packetNonce || p.SrcID != a.id || len(p.Ciphertext) != size {
			t.Fatalf("%d random bytes: %+v", size, p)
		}
		if _, err := NewCipher(packetKey).Open(nil, &p); !errors.Is(err, ErrDecrypt) {
			t.Fatalf("%d random bytes open: %v", size, err)
		}
	}
}

func TestWhoareyouRoundTrip(t *testing.T) {
	b := newPeer(t, 2)
	for _, seq := range []uint64{0, 1, 1 << 40, 1<<64 - 1} {
		data := WhoareyouChallengeData(DefaultProtocolID, packetIV, packetNonce, IDNonce{4, 5}, seq)
		pkt := AppendWhoareyou(nil, DefaultProtocolID, b.mask, packetIV, packetNonce, IDNonce{4, 5}, seq)
		again := AppendWhoareyouFromChallengeData(nil, b.mask, data)
		if !bytes.Equal(pkt, again) || len(pkt) != MinPacketSize {
			t.Fatalf("seq %d: %x and %x", seq, pkt, again)
		}
		p, err := ParsePacket(pkt, DefaultProtocolID, b.mask)
		if err != nil {
			t.Fatal(err)
		}
		if p.Flag != FlagWhoareyou || p.Nonce != packetNonce || p.IDNonce != (IDNonce{4, 5}) || p.ENRSeq != seq {
			t.Errorf("seq %d: %+v", seq, p)
		}
		if !bytes.Equal(p.Header, data[:]) || len(p.Ciphertext) != 0 {
			t.Errorf("seq %d: challenge data %x, want %x", seq, p.Header, data)
		}
	}
}

// TestHandshakeRoundTrip walks through a whole handshake, keys and all.
func TestHandshakeRoundTrip(t *testing.T) {
	a, b, eph := newPeer(t, 1), newPeer(t, 2), newPeer(t, 3)
	for _, record := range [][]byte{nil, a.record(t, 1)} {
		// b challenges, a signs and derives.
		data := WhoareyouChallengeData(DefaultProtocolID, packetIV, packetNonce, IDNonce{4, 5}, 1)
		hs := Handshake{EphemeralKey: [33]byte(crypto.CompressPubkey(&eph.key.PublicKey)), Record: record}
		var err error
		if hs.Signature, err = SignIDNonce(a.key, data[:], hs.EphemeralKey, b.id); err != nil {
			t.Fatal(err)
		}
		keys := DeriveKeys(ECDH(eph.key, &b.key.PublicKey), data[:], a.id, b.id)
		pkt := AppendHandshakePacket(nil, DefaultProtocolID, b.mask, IV{3}, Nonce{4}, a.id, &hs,
			NewCipher(keys.Initiator), packetText)
		if want := HandshakePacketSize(len(record), len(packetText)); len(pkt) != want {
			t.Errorf("packet is %d bytes, want %d", len(pkt), want)
		}

		// b verifies and derives the same.
		p, err := ParsePacket(pkt, DefaultProtocolID, b.mask)
		if err != nil {
			t.Fatal(err)
		}
		if p.Flag != FlagHandshake || p.SrcID != a.id || p.Nonce != (Nonce{4}) || !bytes.Equal(p.Record, record) {
			t.Errorf("header %+v", p)
		}
		if err := VerifyIDNonce(p.Signature, &a.key.PublicKey, data[:], p.EphemeralKey, b.id); err != nil {
			t.Error(err)
		}
		ephPub, err := ParseEphemeralKey(p.EphemeralKey)
		if err != nil {
			t.Fatal(err)
		}
		got := DeriveKeys(ECDH(b.key, ephPub), data[:], a.id, b.id)
		if got != keys || got.Initiator == got.Recipient {
			t.Errorf("recipient derived %x, initiator %x", got, keys)
		}
		if message, err := NewCipher(got.Initiator).Open(nil, &p); err != nil || !bytes.Equal(message, packetText) {
			t.Errorf("opened to %x, %v", message, err)
		}
	}
}

func TestAppendKeepsWhatIsThere(t *testing.T) {
	b := newPeer(t, 2)
	var all []byte
	var ends []int
	a, c := newPeer(t, 1), NewCipher(packetKey)
	hs := Handshake{Record: a.record(t, 1)}
	for range 2 {
		all = AppendMessagePacket(all, DefaultProtocolID, b.mask, packetIV, packetNonce, a.id, c, packetText)
		ends = append(ends, len(all))
		all = AppendRandomPacket(all, DefaultProtocolID, b.mask, packetIV, packetNonce, a.id, random(20, 1))
		ends = append(ends, len(all))
		all = AppendWhoareyou(all, DefaultProtocolID, b.mask, packetIV, packetNonce, IDNonce{}, 1)
		ends = append(ends, len(all))
		all = AppendHandshakePacket(all, DefaultProtocolID, b.mask, packetIV, packetNonce, a.id, &hs, c, packetText)
		ends = append(ends, len(all))
	}
	start := 0
	for i, end := range ends {
		p, err := ParsePacket(all[start:end], DefaultProtocolID, b.mask)
		if err != nil {
			t.Fatalf("packet %d: %v", i, err)
		}
		if p.Flag == FlagHandshake {
			if _, err := c.Open(nil, &p); err != nil {
				t.Errorf("packet %d: %v", i, err)
			}
		}
		start = end
	}
}

// rawPacket masks a header of any content for peer 2.
func rawPacket(t testing.TB, flag Flag, auth, rest []byte) []byte {
	b := newPeer(t, 2)
	pkt := appendHeader(nil, DefaultProtocolID, packetIV, flag, packetNonce, len(auth))
	pkt = append(append(pkt, auth...), rest...)
	b.mask.xor(pkt, 0, StaticHeaderSize+len(auth))
	return pkt
}

// edit changes masked header bytes as if they had been changed before masking.
func edit(t testing.TB, pkt []byte, change func(header []byte)) []byte {
	b := newPeer(t, 2)
	b.mask.xor(pkt, 0, StaticHeaderSize)
	change(pkt[IVSize:])
	b.mask.xor(pkt, 0, StaticHeaderSize)
	return pkt
}

func TestParsePacketRefuses(t *testing.T) {
	message := func() []byte { return rawPacket(t, FlagMessage, make([]byte, 32), make([]byte, 20)) }
	handshake := func(sig, key byte, size int) []byte {
		auth := make([]byte, size)
		if size >= HandshakeHeadSize {
			auth[32], auth[33] = sig, key
		}
		return rawPacket(t, FlagHandshake, auth, make([]byte, 17))
	}
	tests := []struct {
		name string
		pkt  []byte
		want error
	}{
		{"nothing", nil, ErrPacketSize},
		{"62 bytes", make([]byte, 62), ErrPacketSize},
		{"63 zeros", make([]byte, 63), ErrProtocolID},
		{"1280 zeros", make([]byte, 1280), ErrProtocolID},
		{"1281 bytes", rawPacket(t, FlagMessage, make([]byte, 32), make([]byte, 1281-71)), ErrPacketSize},
		{"version 0", edit(t, message(), func(h []byte) { h[7] = 0 }), ErrVersion},
		{"version 2", edit(t, message(), func(h []byte) { h[7] = 2 }), ErrVersion},
		{"version 0x0101", edit(t, message(), func(h []byte) { h[6] = 1 }), ErrVersion},
		{"flag 3", rawPacket(t, 3, make([]byte, 32), make([]byte, 20)), ErrFlag},
		{"flag 255", rawPacket(t, 255, make([]byte, 32), make([]byte, 20)), ErrFlag},
		{"authdata beyond the datagram", edit(t, message(), func(h []byte) { h[22] = 53 }), ErrAuthDataSize},
		{"authdata of 65535", edit(t, message(), func(h []byte) { binary.BigEndian.PutUint16(h[21:], 65535) }), ErrAuthDataSize},
		{"authdata of 0", rawPacket(t, FlagMessage, nil, make([]byte, 52)), ErrAuthDataSize},
		{"message with 31", rawPacket(t, FlagMessage, make([]byte, 31), make([]byte, 20)), ErrAuthDataSize},
		{"message with 33", rawPacket(t, FlagMessage, make([]byte, 33), make([]byte, 20)), ErrAuthDataSize},
		{"whoareyou with 23", rawPacket(t, FlagWhoareyou, make([]byte, 23), make([]byte, 1)), ErrAuthDataSize},
		{"whoareyou with 25", rawPacket(t, FlagWhoareyou, make([]byte, 25), nil), ErrAuthDataSize},
		{"whoareyou with more behind", rawPacket(t, FlagWhoareyou, make([]byte, 24), make([]byte, 1)), ErrTrailingBytes},
		{"handshake with 33", handshake(64, 33, 33), ErrAuthDataSize},
		{"handshake with 34", handshake(64, 33, 34), ErrAuthDataSize},
		{"handshake with 130", handshake(64, 33, 130), ErrAuthDataSize},
		{"handshake with signature of 63", handshake(63, 33, 131), ErrSignatureSize},
		{"handshake with signature of 65", handshake(65, 33, 132), ErrSignatureSize},
		{"handshake with signature of 0", handshake(0, 33, 131), ErrSignatureSize},
		{"handshake with key of 32", handshake(64, 32, 131), ErrEphemeralKeySize},
		{"handshake with key of 65", handshake(64, 65, 163), ErrEphemeralKeySize},
		{"handshake with a tag alone", rawPacket(t, FlagHandshake, handshakeAuth(), make([]byte, 16)), ErrCiphertextSize},
		{"handshake without message", rawPacket(t, FlagHandshake, handshakeAuth(), nil), ErrCiphertextSize},
	}
	own := newPeer(t, 2).mask
	for _, tt := range tests {
		if p, err := ParsePacket(tt.pkt, DefaultProtocolID, own); !errors.Is(err, tt.want) || p.Header != nil {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
}

func handshakeAuth() []byte {
	auth := make([]byte, HandshakeHeadSize+SignatureSize+EphemeralKeySize)
	auth[32], auth[33] = SignatureSize, EphemeralKeySize
	return auth
}

func TestPacketForAnotherIsUntouched(t *testing.T) {
	a, b := newPeer(t, 1), newPeer(t, 2)
	for _, s := range samplePackets(t) {
		pkt := bytes.Clone(s.bytes)
		if _, err := ParsePacket(pkt, DefaultProtocolID, a.mask); !errors.Is(err, ErrProtocolID) {
			t.Errorf("%s, wrong recipient: %v", s.name, err)
		}
		if _, err := ParsePacket(pkt, ProtocolID{'d', '5', 'w', 'a', 'k', 'u'}, b.mask); !errors.Is(err, ErrProtocolID) {
			t.Errorf("%s, wrong protocol: %v", s.name, err)
		}
		if !bytes.Equal(pkt, s.bytes) {
			t.Errorf("%s was changed", s.name)
		}
		if _, err := ParsePacket(pkt, DefaultProtocolID, b.mask); err != nil {
			t.Errorf("%s, right recipient after all: %v", s.name, err)
		}
	}
}

func TestOtherProtocolID(t *testing.T) {
	a, b := newPeer(t, 1), newPeer(t, 2)
	waku := ProtocolID{'d', '5', 'w', 'a', 'k', 'u'}
	pkt := AppendMessagePacket(nil, waku, b.mask, packetIV, packetNonce, a.id, NewCipher(packetKey), packetText)
	p, err := ParsePacket(pkt, waku, b.mask)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewCipher(packetKey).Open(nil, &p); err != nil {
		t.Error(err)
	}
}

// accepts reports whether a packet is taken: parsed, and opened where it is sealed.
func accepts(own *Mask, c *Cipher, s samplePacket, pkt []byte) bool {
	p, err := ParsePacket(bytes.Clone(pkt), DefaultProtocolID, own)
	if err != nil {
		return false
	}
	if s.sealed {
		_, err = c.Open(nil, &p)
	}
	return err == nil
}

func TestEveryTruncatedPacketFails(t *testing.T) {
	own, c := newPeer(t, 2).mask, NewCipher(packetKey)
	for _, s := range samplePackets(t) {
		if !accepts(own, c, s, s.bytes) {
			t.Fatalf("%s is not valid", s.name)
		}
		// A random packet has no end that could be missed.
		limit := len(s.bytes)
		if s.name == "random" {
			limit -= RandomPayloadSize
		}
		for n := range limit {
			if accepts(own, c, s, s.bytes[:n]) {
				t.Errorf("%s is accepted with %d of %d bytes", s.name, n, len(s.bytes))
			}
		}
	}
}

func TestEveryFlippedByte(t *testing.T) {
	own, c := newPeer(t, 2).mask, NewCipher(packetKey)
	for _, s := range samplePackets(t) {
		for i := range s.bytes {
			for _, mask := range []byte{0x01, 0x80, 0xff} {
				pkt := bytes.Clone(s.bytes)
				pkt[i] ^= mask
				// Header, IV and message are all authenticated.
				if accepts(own, c, s, pkt) && s.sealed {
					t.Errorf("%s is accepted with byte %d changed by %#x", s.name, i, mask)
				}
			}
		}
	}
}

func TestMaskAndCipherAreSharedFreely(t *testing.T) {
	a, b := newPeer(t, 1), newPeer(t, 2)
	c := NewCipher(packetKey)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				pkt := AppendMessagePacket(nil, DefaultProtocolID, b.mask, packetIV, packetNonce, a.id, c, packetText)
				p, err := ParsePacket(pkt, DefaultProtocolID, b.mask)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := c.Open(p.Ciphertext[:0], &p); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestFlagString(t *testing.T) {
	for flag, want := range []string{"message", "whoareyou", "handshake", "unknown"} {
		if got := Flag(flag).String(); got != want {
			t.Errorf("flag %d is %q, want %q", flag, got, want)
		}
	}
}

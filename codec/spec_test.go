package codec

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
)

// The tests of this file hold the package to the vectors of the specification.

func TestSpecECDH(t *testing.T) {
	v := vectors(t)["ecdh"]
	if got := ECDH(v.private("secret-key"), v.public("public-key")); !bytes.Equal(got[:], v.bytes("shared-secret")) {
		t.Errorf("shared secret %x", got)
	}
}

func TestSpecKeyDerivation(t *testing.T) {
	v := vectors(t)["key derivation"]
	secret := ECDH(v.private("ephemeral-key"), v.public("dest-pubkey"))
	keys := DeriveKeys(secret, v.bytes("challenge-data"), v.id("node-id-a"), v.id("node-id-b"))
	if !bytes.Equal(keys.Initiator[:], v.bytes("initiator-key")) {
		t.Errorf("initiator key %x", keys.Initiator)
	}
	if !bytes.Equal(keys.Recipient[:], v.bytes("recipient-key")) {
		t.Errorf("recipient key %x", keys.Recipient)
	}
}

func TestSpecIDNonceSigning(t *testing.T) {
	v := vectors(t)["id nonce signing"]
	key, ephPub := v.private("static-key"), v.bytes("ephemeral-pubkey")
	challenge, recipient := v.bytes("challenge-data"), v.id("node-id-b")
	sig, err := SignIDNonce(key, challenge, [33]byte(ephPub), recipient)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(sig[:], v.bytes("id-signature")) {
		t.Errorf("signature %x", sig)
	}
	if err := VerifyIDNonce(sig[:], &key.PublicKey, challenge, ephPub, recipient); err != nil {
		t.Errorf("own signature: %v", err)
	}
}

func TestSpecEncryption(t *testing.T) {
	v := vectors(t)["encryption"]
	c := NewCipher([16]byte(v.bytes("encryption-key")))
	got := c.aead.Seal(nil, v.bytes("nonce"), v.bytes("pt"), v.bytes("ad"))
	if !bytes.Equal(got, v.bytes("message-ciphertext")) {
		t.Errorf("ciphertext %x", got)
	}
	plain, err := c.aead.Open(nil, v.bytes("nonce"), got, v.bytes("ad"))
	if err != nil || !bytes.Equal(plain, v.bytes("pt")) {
		t.Errorf("decrypted to %x, %v", plain, err)
	}
}

// parseVector parses the packet of a vector as its recipient would.
func parseVector(t *testing.T, v vector) (Packet, *Mask) {
	t.Helper()
	own := NewMask(v.id("dest-node-id"))
	p, err := ParsePacket(v.bytes("packet"), DefaultProtocolID, own)
	if err != nil {
		t.Fatal(err)
	}
	return p, own
}

// wantPing opens p with the key of the vector and compares the PING in it.
func wantPing(t *testing.T, v vector, p *Packet) []byte {
	t.Helper()
	message, err := NewCipher([16]byte(v.bytes("read-key"))).Open(nil, p)
	if err != nil {
		t.Fatal(err)
	}
	kind, body, err := SplitMessage(message)
	if err != nil || kind != PingType {
		t.Fatalf("message type %v, %v", kind, err)
	}
	ping, err := ParsePing(body)
	if err != nil {
		t.Fatal(err)
	}
	if ping.RequestID.String() != v.text("ping.req-id") || ping.ENRSeq != v.number("ping.enr-seq") {
		t.Errorf("got %+v", ping)
	}
	return message
}

// wantSpoiltByAppending checks that a message with one more byte does not open.
func wantSpoiltByAppending(t *testing.T, v vector, own *Mask) {
	t.Helper()
	p, err := ParsePacket(append(v.bytes("packet"), 0), DefaultProtocolID, own)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewCipher([16]byte(v.bytes("read-key"))).Open(nil, &p); !errors.Is(err, ErrDecrypt) {
		t.Errorf("with a byte appended: %v", err)
	}
}

func TestSpecPingPacket(t *testing.T) {
	v := vectors(t)["ping message"]
	p, own := parseVector(t, v)
	if p.Flag != FlagMessage || p.SrcID != v.id("src-node-id") || !bytes.Equal(p.Nonce[:], v.bytes("nonce")) {
		t.Errorf("header %+v", p)
	}
	message := wantPing(t, v, &p)
	wantSpoiltByAppending(t, v, own)

	again := AppendMessagePacket(nil, DefaultProtocolID, own, IV{}, p.Nonce, p.SrcID,
		NewCipher([16]byte(v.bytes("read-key"))), message)
	if !bytes.Equal(again, v.bytes("packet")) {
		t.Errorf("made again it is %x", again)
	}
}

func TestSpecWhoareyouPacket(t *testing.T) {
	v := vectors(t)["whoareyou"]
	p, own := parseVector(t, v)
	if p.Flag != FlagWhoareyou || !bytes.Equal(p.Nonce[:], v.bytes("whoareyou.request-nonce")) ||
		!bytes.Equal(p.IDNonce[:], v.bytes("whoareyou.id-nonce")) || p.ENRSeq != v.number("whoareyou.enr-seq") {
		t.Errorf("header %+v", p)
	}
	if !bytes.Equal(p.Header, v.bytes("whoareyou.challenge-data")) {
		t.Errorf("challenge data %x", p.Header)
	}
	if _, err := ParsePacket(append(v.bytes("packet"), 0), DefaultProtocolID, own); !errors.Is(err, ErrTrailingBytes) {
		t.Errorf("with a byte appended: %v", err)
	}

	if again := AppendWhoareyou(nil, DefaultProtocolID, own, IV{}, p.Nonce, p.IDNonce, p.ENRSeq); !bytes.Equal(again, v.bytes("packet")) {
		t.Errorf("made again it is %x", again)
	}
	data := WhoareyouChallengeData(DefaultProtocolID, IV{}, p.Nonce, p.IDNonce, p.ENRSeq)
	if !bytes.Equal(data[:], v.bytes("whoareyou.challenge-data")) {
		t.Errorf("challenge data of the sender %x", data)
	}
	if again := AppendWhoareyouFromChallengeData(nil, own, data); !bytes.Equal(again, v.bytes("packet")) {
		t.Errorf("made from challenge data it is %x", again)
	}
}

func TestSpecHandshakePackets(t *testing.T) {
	for _, name := range []string{"ping handshake", "ping handshake with record"} {
		t.Run(name, func(t *testing.T) {
			all := vectors(t)
			v := all[name]
			p, own := parseVector(t, v)
			if p.Flag != FlagHandshake || p.SrcID != v.id("src-node-id") || !bytes.Equal(p.Nonce[:], v.bytes("nonce")) {
				t.Errorf("header %+v", p)
			}
			if !bytes.Equal(p.EphemeralKey, v.bytes("ephemeral-pubkey")) {
				t.Errorf("ephemeral key %x", p.EphemeralKey)
			}
			wantVectorRecord(t, v, p.Record)

			keyA, keyB := all["keys"].private("node-a-key"), all["keys"].private("node-b-key")
			challenge := v.bytes("whoareyou.challenge-data")
			if err := VerifyIDNonce(p.Signature, &keyA.PublicKey, challenge, p.EphemeralKey, v.id("dest-node-id")); err != nil {
				t.Error(err)
			}
			ephPub, err := ParseEphemeralKey(p.EphemeralKey)
			if err != nil {
				t.Fatal(err)
			}
			keys := DeriveKeys(ECDH(keyB, ephPub), challenge, v.id("src-node-id"), v.id("dest-node-id"))
			if !bytes.Equal(keys.Initiator[:], v.bytes("read-key")) {
				t.Errorf("derived key %x", keys.Initiator)
			}
			message := wantPing(t, v, &p)
			wantSpoiltByAppending(t, v, own)

			// The sender's side gives the same bytes.
			keys = DeriveKeys(ECDH(v.private("ephemeral-key"), &keyB.PublicKey), challenge, p.SrcID, v.id("dest-node-id"))
			hs := Handshake{EphemeralKey: [33]byte(p.EphemeralKey), Record: p.Record}
			if hs.Signature, err = SignIDNonce(keyA, challenge, hs.EphemeralKey, v.id("dest-node-id")); err != nil {
				t.Fatal(err)
			}
			again := AppendHandshakePacket(nil, DefaultProtocolID, own, IV{}, p.Nonce, p.SrcID, &hs,
				NewCipher(keys.Initiator), message)
			if !bytes.Equal(again, v.bytes("packet")) {
				t.Errorf("made again it is %x", again)
			}
		})
	}
}

func wantVectorRecord(t *testing.T, v vector, record []byte) {
	t.Helper()
	if v.number("whoareyou.enr-seq") == 1 {
		if len(record) != 0 {
			t.Errorf("unexpected record %x", record)
		}
		return
	}
	var r enr.Record
	if err := rlp.DecodeBytes(record, &r); err != nil {
		t.Fatal(err)
	}
	n, err := enode.New(enode.ValidSchemes, &r)
	if err != nil {
		t.Fatal(err)
	}
	if n.ID() != v.id("src-node-id") || n.Seq() != 1 {
		t.Errorf("record of %v, seq %d", n.ID(), n.Seq())
	}
}

func TestVerifyIDNonceRefuses(t *testing.T) {
	v := vectors(t)["id nonce signing"]
	key, eph := v.private("static-key"), v.bytes("ephemeral-pubkey")
	sig, challenge, recipient := v.bytes("id-signature"), v.bytes("challenge-data"), v.id("node-id-b")
	other, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	changed := func(b []byte) []byte { b = slices.Clone(b); b[len(b)-1] ^= 1; return b }
	tests := []struct {
		name string
		err  error
		want error
	}{
		{"another signature", VerifyIDNonce(changed(sig), &key.PublicKey, challenge, eph, recipient), ErrIDSignature},
		{"another key", VerifyIDNonce(sig, &other.PublicKey, challenge, eph, recipient), ErrIDSignature},
		{"another challenge", VerifyIDNonce(sig, &key.PublicKey, changed(challenge), eph, recipient), ErrIDSignature},
		{"another ephemeral key", VerifyIDNonce(sig, &key.PublicKey, challenge, changed(eph), recipient), ErrIDSignature},
		{"another recipient", VerifyIDNonce(sig, &key.PublicKey, challenge, eph, enode.ID{1}), ErrIDSignature},
		{"zero signature", VerifyIDNonce(make([]byte, 64), &key.PublicKey, challenge, eph, recipient), ErrIDSignature},
		{"short signature", VerifyIDNonce(sig[:63], &key.PublicKey, challenge, eph, recipient), ErrSignatureSize},
		{"with recovery byte", VerifyIDNonce(append(sig, 0), &key.PublicKey, challenge, eph, recipient), ErrSignatureSize},
		{"short ephemeral key", VerifyIDNonce(sig, &key.PublicKey, challenge, eph[:32], recipient), ErrEphemeralKeySize},
	}
	for _, tt := range tests {
		if !errors.Is(tt.err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, tt.err, tt.want)
		}
	}
}

func TestParseEphemeralKeyRefuses(t *testing.T) {
	good := vectors(t)["ecdh"].bytes("public-key")
	for n := range good {
		if _, err := ParseEphemeralKey(good[:n]); !errors.Is(err, ErrEphemeralKey) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	offCurve := bytes.Repeat([]byte{0xff}, 33)
	offCurve[0] = 2
	uncompressed := slices.Clone(good)
	uncompressed[0] = 4
	for _, key := range [][]byte{offCurve, uncompressed, make([]byte, 33), append(slices.Clone(good), 0)} {
		if _, err := ParseEphemeralKey(key); !errors.Is(err, ErrEphemeralKey) {
			t.Errorf("%x: %v", key, err)
		}
	}
}

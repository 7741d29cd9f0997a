package codec

import (
	"bytes"
	"errors"
	"testing"
)

// sealedPacket returns a parsed message packet.
func sealedPacket(t testing.TB, key [16]byte, message []byte) Packet {
	t.Helper()
	a, b := newPeer(t, 1), newPeer(t, 2)
	pkt := AppendMessagePacket(nil, DefaultProtocolID, b.mask, packetIV, packetNonce, a.id, NewCipher(key), message)
	p, err := ParsePacket(pkt, DefaultProtocolID, b.mask)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestOneByteMessage(t *testing.T) {
	p := sealedPacket(t, packetKey, []byte{9})
	got, err := NewCipher(packetKey).Open(nil, &p)
	if err != nil || !bytes.Equal(got, []byte{9}) {
		t.Errorf("opened to %x, %v", got, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	c := NewCipher(packetKey)
	p := sealedPacket(t, packetKey, packetText)
	empty := sealedPacket(t, packetKey, nil) // authentic, but no message
	tests := map[string]Packet{
		"empty message":      empty,
		"no ciphertext":      {Header: p.Header},
		"16 bytes":           {Header: p.Header, Ciphertext: random(16, 1)},
		"17 bytes":           {Header: p.Header, Ciphertext: random(17, 1)},
		"garbage":            {Header: p.Header, Ciphertext: random(len(p.Ciphertext), 1)},
		"no header":          {Ciphertext: p.Ciphertext},
		"short header":       {Header: p.Header[:38], Ciphertext: p.Ciphertext},
		"other header":       {Header: append(p.Header, 0), Ciphertext: p.Ciphertext},
		"beyond packet size": {Header: p.Header, Ciphertext: make([]byte, MaxPacketSize+1)},
		"zero":               {},
	}
	for name, p := range tests {
		before := bytes.Clone(p.Ciphertext)
		for place, dst := range map[string][]byte{"new": nil, "in place": p.Ciphertext[:0]} {
			if out, err := c.Open(dst, &p); !errors.Is(err, ErrDecrypt) || out != nil {
				t.Errorf("%s, %s: %x, %v", name, place, out, err)
			}
			if !bytes.Equal(p.Ciphertext, before) {
				t.Errorf("%s, %s: the ciphertext has changed", name, place)
			}
		}
	}
}

// TestOpenTriesSeveralKeys is what a session with replaced keys does.
func TestOpenTriesSeveralKeys(t *testing.T) {
	for _, size := range []int{1, 15, 16, 17, 100, MaxMessageSize} {
		message := random(size, 1)
		scratch := make([]byte, 0, MaxPacketSize)
		for place, dst := range map[string]func(*Packet) []byte{
			"new":      func(*Packet) []byte { return nil },
			"scratch":  func(*Packet) []byte { return scratch },
			"in place": func(p *Packet) []byte { return p.Ciphertext[:0] },
		} {
			p := sealedPacket(t, packetKey, message)
			before := bytes.Clone(p.Ciphertext)
			for k := range byte(3) {
				if _, err := NewCipher([16]byte{k}).Open(dst(&p), &p); !errors.Is(err, ErrDecrypt) {
					t.Fatalf("%d bytes, %s: wrong key: %v", size, place, err)
				}
				if !bytes.Equal(p.Ciphertext, before) {
					t.Fatalf("%d bytes, %s: a wrong key changes the ciphertext", size, place)
				}
			}
			got, err := NewCipher(packetKey).Open(dst(&p), &p)
			if err != nil || !bytes.Equal(got, message) {
				t.Fatalf("%d bytes, %s: right key at last: %x, %v", size, place, got, err)
			}
		}
	}
}

func TestOpenAppends(t *testing.T) {
	p := sealedPacket(t, packetKey, packetText)
	got, err := NewCipher(packetKey).Open([]byte("before"), &p)
	if err != nil || !bytes.Equal(got, append([]byte("before"), packetText...)) {
		t.Errorf("opened to %q, %v", got, err)
	}
}

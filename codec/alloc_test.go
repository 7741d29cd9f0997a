package codec

import (
	"net/netip"
	"testing"
)

// wantNoAllocs runs f often and fails if it allocates.
func wantNoAllocs(t *testing.T, name string, f func()) {
	t.Helper()
	if n := testing.AllocsPerRun(200, f); n != 0 {
		t.Errorf("%s: %v allocations", name, n)
	}
}

func TestPacketsDoNotAllocate(t *testing.T) {
	a, b := newPeer(t, 1), newPeer(t, 2)
	c, other := NewCipher(packetKey), NewCipher([16]byte{1})
	buf, scratch := make([]byte, 0, MaxPacketSize), make([]byte, 0, MaxPacketSize)
	message, text := random(1000, 1), random(RandomPayloadSize, 2)
	hs := Handshake{Record: a.record(t, 1)}
	data := WhoareyouChallengeData(DefaultProtocolID, packetIV, packetNonce, IDNonce{}, 1)

	wantNoAllocs(t, "AppendMessagePacket", func() {
		buf = AppendMessagePacket(buf[:0], DefaultProtocolID, b.mask, packetIV, packetNonce, a.id, c, message)
	})
	sealed := append([]byte(nil), buf...)
	parse := func() Packet {
		buf = append(buf[:0], sealed...)
		p, err := ParsePacket(buf, DefaultProtocolID, b.mask)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	wantNoAllocs(t, "ParsePacket, Open in place", func() {
		p := parse()
		if _, err := c.Open(p.Ciphertext[:0], &p); err != nil {
			t.Fatal(err)
		}
	})
	wantNoAllocs(t, "ParsePacket, Open in place with two keys", func() {
		p := parse()
		if _, err := other.Open(p.Ciphertext[:0], &p); err == nil {
			t.Fatal("opened with the wrong key")
		}
		if _, err := c.Open(p.Ciphertext[:0], &p); err != nil {
			t.Fatal(err)
		}
	})
	wantNoAllocs(t, "ParsePacket, Open aside", func() {
		p := parse()
		if _, err := c.Open(scratch, &p); err != nil {
			t.Fatal(err)
		}
	})
	wantNoAllocs(t, "ParsePacket of junk", func() {
		if _, err := ParsePacket(buf, DefaultProtocolID, a.mask); err == nil {
			t.Fatal("junk is accepted")
		}
	})
	wantNoAllocs(t, "AppendRandomPacket", func() {
		buf = AppendRandomPacket(buf[:0], DefaultProtocolID, b.mask, packetIV, packetNonce, a.id, text)
	})
	wantNoAllocs(t, "AppendWhoareyou", func() {
		buf = AppendWhoareyou(buf[:0], DefaultProtocolID, b.mask, packetIV, packetNonce, IDNonce{}, 1)
	})
	wantNoAllocs(t, "AppendWhoareyouFromChallengeData", func() {
		buf = AppendWhoareyouFromChallengeData(buf[:0], b.mask, data)
	})
	wantNoAllocs(t, "AppendHandshakePacket", func() {
		buf = AppendHandshakePacket(buf[:0], DefaultProtocolID, b.mask, packetIV, packetNonce, a.id, &hs, c, packetText)
	})
	wantNoAllocs(t, "ParsePacket of a handshake", func() {
		buf = AppendHandshakePacket(buf[:0], DefaultProtocolID, b.mask, packetIV, packetNonce, a.id, &hs, c, packetText)
		if _, err := ParsePacket(buf, DefaultProtocolID, b.mask); err != nil {
			t.Fatal(err)
		}
	})
}

func TestMessagesDoNotAllocate(t *testing.T) {
	buf := make([]byte, 0, MaxPacketSize)
	for _, m := range messages(t) {
		wantNoAllocs(t, m.name+", encoding", func() { buf = m.append(buf[:0]) })
		body := unhex(t, m.hex)[1:]
		// The table's parsers hold method values; parse and append are called
		// through them, and must not allocate even so.
		wantNoAllocs(t, m.name+", decoding", func() {
			if _, err := m.again(buf[:0], body); err != nil {
				t.Fatal(err)
			}
		})
	}

	body := AppendNodes(nil, RequestID{}, 1, [][]byte{newPeer(t, 1).record(t, 1), newPeer(t, 2).record(t, 1)})[1:]
	total := 0
	wantNoAllocs(t, "ranging over records", func() {
		m, err := ParseNodes(body)
		if err != nil {
			t.Fatal(err)
		}
		for record := range m.Records.All() {
			total += len(record)
		}
	})
	wantNoAllocs(t, "ranging over distances", func() {
		m := FindNode{RequestID{}, NewDistances(256, 255, 254)}
		for dist := range m.Distances.All() {
			total += dist
		}
		buf = m.Append(buf[:0])
	})
	to := netip.MustParseAddrPort("[::ffff:1.2.3.4]:9")
	wantNoAllocs(t, "answering", func() {
		buf = Ping{RequestID{}, 1}.Append(buf[:0])
		_, body, err := SplitMessage(buf)
		if err != nil {
			t.Fatal(err)
		}
		m, err := ParsePing(body)
		if err != nil {
			t.Fatal(err)
		}
		buf = Pong{m.RequestID, 5, to}.Append(buf[:0])
	})
}

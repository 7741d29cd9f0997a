package codec

import (
	"bytes"
	"slices"
	"testing"
)

func TestConstants(t *testing.T) {
	if MinPacketSize != 63 || MaxMessageSize != 1193 || MaxTalkResponse != 1177 {
		t.Errorf("min packet %d, max message %d, max talk response %d", MinPacketSize, MaxMessageSize, MaxTalkResponse)
	}
}

func TestRandomPayloadLooksLikeFindNode(t *testing.T) {
	m := FindNode{requestID(t, 1, 2, 3, 4, 5, 6, 7, 8), NewDistances(256, 255, 254)}
	if want := len(m.Append(nil)) + TagSize; RandomPayloadSize != want {
		t.Errorf("random payload of %d bytes, an encrypted FINDNODE has %d", RandomPayloadSize, want)
	}
}

func TestMaxTalkResponseFillsThePacket(t *testing.T) {
	id := requestID(t, 1, 2, 3, 4, 5, 6, 7, 8)
	for payload, want := range map[int]int{MaxTalkResponse - 1: 1279, MaxTalkResponse: 1280, MaxTalkResponse + 1: 1281} {
		m := TalkResp{id, make([]byte, payload)}
		if got := packetSize(t, m.Append(nil)); got != want || MessagePacketSize(m.Size()) != want {
			t.Errorf("payload of %d: packet of %d bytes, computed %d, want %d", payload, got, MessagePacketSize(m.Size()), want)
		}
	}
}

func TestMaxTalkRequestFillsThePacket(t *testing.T) {
	id := requestID(t, 1, 2, 3, 4, 5, 6, 7, 8)
	for name, max := range map[string]int{"ut": 1174, "utp": 1173, "echo": 1172} {
		if got := MaxTalkRequest([]byte(name)); got != max {
			t.Errorf("%s: %d, want %d", name, got, max)
		}
	}
	protocols := [][]byte{nil, {0x00}, {0x7f}, {0x80}, {0xff}}
	for n := 2; n <= 1200; n++ {
		protocols = append(protocols, bytes.Repeat([]byte{0xee}, n))
	}
	for _, protocol := range protocols {
		most := MaxTalkRequest(protocol)
		if most < 0 {
			// Not even the empty payload fits.
			if size := packetSize(t, TalkReq{id, protocol, nil}.Append(nil)); size <= MaxPacketSize {
				t.Errorf("%d byte name: an empty request is %d bytes, yet none is said to fit", len(protocol), size)
			}
			continue
		}
		m := TalkReq{id, protocol, bytes.Repeat([]byte{0xee}, most+1)}
		over := packetSize(t, m.Append(nil))
		m.Payload = m.Payload[1:]
		fits := packetSize(t, m.Append(nil))
		// A payload of one byte may encode as two, so that none of that length is promised.
		if fits > MaxPacketSize || over <= MaxPacketSize {
			t.Errorf("%d byte name: %d bytes of payload make %d, one more %d", len(protocol), most, fits, over)
		}
		if len(protocol) < 50 && fits != MaxPacketSize {
			t.Errorf("%d byte name: %d bytes of payload make %d", len(protocol), most, fits)
		}
		if MessagePacketSize(m.Size()) != fits {
			t.Errorf("%d byte name: computed %d, is %d", len(protocol), MessagePacketSize(m.Size()), fits)
		}
	}
}

func packetSize(t *testing.T, message []byte) int {
	t.Helper()
	a, b := newPeer(t, 1), newPeer(t, 2)
	return len(AppendMessagePacket(nil, DefaultProtocolID, b.mask, packetIV, packetNonce, a.id, NewCipher(packetKey), message))
}

func TestNodesSizeIsExact(t *testing.T) {
	for _, id := range []RequestID{{}, requestID(t, 1), requestID(t, 0x80), requestID(t, 1, 2, 3, 4, 5, 6, 7, 8)} {
		for _, total := range []int{0, 1, 16, 127, 128, 1 << 20} {
			for size := range 400 {
				records := [][]byte{make([]byte, size)}
				if got, want := NodesSize(id, total, size), len(AppendNodes(nil, id, total, records)); got != want {
					t.Fatalf("id %v, total %d, %d bytes: %d, want %d", id, total, size, got, want)
				}
			}
		}
	}
}

func TestFitNodesFillsThePacket(t *testing.T) {
	id := requestID(t, 1, 2, 3, 4, 5, 6, 7, 8)
	for _, size := range []int{1, 119, 150, 299, 300, 1176, 1177, 1300} {
		records := slices.Repeat([][]byte{make([]byte, size)}, 1300)
		n := FitNodes(id, records)
		if got := packetSize(t, AppendNodes(nil, id, 16, records[:n])); got > MaxPacketSize {
			t.Errorf("%d records of %d make %d bytes", n, size, got)
		}
		if got := packetSize(t, AppendNodes(nil, id, 16, records[:n+1])); got <= MaxPacketSize {
			t.Errorf("%d records of %d would fit, %d were chosen", n+1, size, n)
		}
		if got := FitNodes(id, records[:min(n, 2)]); got != min(n, 2) {
			t.Errorf("of %d records of %d bytes %d fit", min(n, 2), size, got)
		}
	}
	if FitNodes(id, nil) != 0 {
		t.Error("no records, yet some fit")
	}
}

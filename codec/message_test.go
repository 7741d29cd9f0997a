package codec

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/netip"
	"testing"

	"github.com/ethereum/go-ethereum/rlp"
)

// message is one message of message_test's table.
type message struct {
	name   string
	kind   MessageType
	hex    string
	append func(dst []byte) []byte
	// again parses a body and appends what it found.
	again func(dst, body []byte) ([]byte, error)
}

func again[M interface{ Append([]byte) []byte }](parse func([]byte) (M, error)) func(dst, body []byte) ([]byte, error) {
	return func(dst, body []byte) ([]byte, error) {
		m, err := parse(body)
		if err != nil {
			return nil, err
		}
		return m.Append(dst), nil
	}
}

// parsers has the parser of each type.
var parsers = map[MessageType]func(dst, body []byte) ([]byte, error){
	PingType:     again(ParsePing),
	PongType:     again(ParsePong),
	FindNodeType: again(ParseFindNode),
	NodesType:    again(ParseNodes),
	TalkReqType:  again(ParseTalkReq),
	TalkRespType: again(ParseTalkResp),
}

func requestID(t testing.TB, b ...byte) RequestID {
	t.Helper()
	id, err := NewRequestID(b)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// messages are messages of each type with their encodings.
func messages(t testing.TB) []message {
	one := requestID(t, 1)
	full := requestID(t, 0, 0, 0, 0, 0, 0, 0, 1)
	records := [][]byte{newPeer(t, 1).record(t, 1), newPeer(t, 2).record(t, 1)}
	list := []message{
		{name: "ping", hex: "01c20101", append: Ping{one, 1}.Append},
		{name: "ping, no id, no seq", hex: "01c28080", append: Ping{RequestID{}, 0}.Append},
		{name: "ping, long", hex: "01d288000000000000000188ffffffffffffffff", append: Ping{full, 1<<64 - 1}.Append},
		{name: "pong", hex: "02ca0101847f000001821388", append: Pong{one, 1, netip.MustParseAddrPort("127.0.0.1:5000")}.Append},
		{name: "pong, IPv6", hex: "02d601019020010db800000000000000000000000182ffff",
			append: Pong{one, 1, netip.MustParseAddrPort("[2001:db8::1]:65535")}.Append},
		{name: "pong, no port", hex: "02c801018401020304" + "80", append: Pong{one, 1, netip.MustParseAddrPort("1.2.3.4:0")}.Append},
		{name: "findnode", hex: "03c501c3820100", append: FindNode{one, NewDistances(256)}.Append},
		{name: "findnode, none", hex: "03c201c0", append: FindNode{one, NewDistances()}.Append},
		{name: "findnode, own record and more", hex: "03c801c680" + "82010081ff", append: FindNode{one, NewDistances(0, 256, 255)}.Append},
		{name: "nodes, none", hex: "04c30101c0", append: func(dst []byte) []byte { return AppendNodes(dst, one, 1, nil) }},
		{name: "nodes", hex: "04f8f20101f8ee" + hex.EncodeToString(bytes.Join(records, nil)),
			append: func(dst []byte) []byte { return AppendNodes(dst, one, 1, records) }},
		{name: "talkreq", hex: "05c901846563686f826869", append: TalkReq{one, []byte("echo"), []byte("hi")}.Append},
		{name: "talkreq, empty", hex: "05c3018080", append: TalkReq{one, nil, nil}.Append},
		{name: "talkreq, single bytes", hex: "05c4018180" + "7f", append: TalkReq{one, []byte{0x80}, []byte{0x7f}}.Append},
		{name: "talkresp", hex: "06c401826869", append: TalkResp{one, []byte("hi")}.Append},
		{name: "talkresp, empty", hex: "06c20180", append: TalkResp{one, nil}.Append},
		{name: "talkresp, 55 bytes", hex: "06f83901" + "b7" + hex.EncodeToString(make([]byte, 55)),
			append: TalkResp{one, make([]byte, 55)}.Append},
		{name: "talkresp, 56 bytes", hex: "06f83b01" + "b838" + hex.EncodeToString(make([]byte, 56)),
			append: TalkResp{one, make([]byte, 56)}.Append},
		{name: "talkresp, 256 bytes", hex: "06f9010401" + "b90100" + hex.EncodeToString(make([]byte, 256)),
			append: TalkResp{one, make([]byte, 256)}.Append},
	}
	for i := range list {
		m := &list[i]
		m.kind = MessageType(unhex(t, m.hex)[0])
		m.again = parsers[m.kind]
	}
	return list
}

func TestMessageEncoding(t *testing.T) {
	for _, m := range messages(t) {
		want := unhex(t, m.hex)
		if got := m.append([]byte("x")); !bytes.Equal(got, append([]byte("x"), want...)) {
			t.Errorf("%s encodes to %x, want %x", m.name, got[1:], want)
		}
		kind, body, err := SplitMessage(want)
		if err != nil || kind != m.kind {
			t.Fatalf("%s: type %v, %v", m.name, kind, err)
		}
		if got, err := m.again(nil, body); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s decodes to %x, %v, want %x", m.name, got, err, want)
		}
	}
}

func TestEveryTruncatedMessageFails(t *testing.T) {
	for _, m := range messages(t) {
		body := unhex(t, m.hex)[1:]
		for n := range body {
			if got, err := m.again(nil, body[:n]); err == nil {
				t.Errorf("%s is accepted with %d of %d bytes, as %x", m.name, n, len(body), got)
			}
		}
		if _, err := m.again(nil, append(body, 0x80)); !errors.Is(err, ErrTrailingBytes) {
			t.Errorf("%s with a byte appended: %v", m.name, err)
		}
	}
}

// TestEveryMissingFieldFails shortens the list itself, header included.
func TestEveryMissingFieldFails(t *testing.T) {
	for _, m := range messages(t) {
		content, _, err := rlp.SplitList(unhex(t, m.hex)[1:])
		if err != nil {
			t.Fatal(err)
		}
		for n := range content {
			body := append(appendListHeader(nil, n), content[:n]...)
			if got, err := m.again(nil, body); err == nil {
				t.Errorf("%s is accepted with %d of %d bytes of content, as %x", m.name, n, len(content), got)
			}
		}
	}
}

func TestExtraElementsAreIgnored(t *testing.T) {
	for _, m := range messages(t) {
		want := unhex(t, m.hex)
		content, _, err := rlp.SplitList(want[1:])
		if err != nil {
			t.Fatal(err)
		}
		with := func(extra ...byte) []byte {
			return append(append(appendListHeader(nil, len(content)+len(extra)), content...), extra...)
		}
		for _, extra := range [][]byte{{0x80}, {0xc0}, {0x01, 0xc2, 0x01, 0x02, 0x82, 0x61, 0x62}} {
			if got, err := m.again(nil, with(extra...)); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s with %x more: %x, %v", m.name, extra, got, err)
			}
		}
		if _, err := m.again(nil, with(0x83, 0x01)); !errors.Is(err, ErrMessage) {
			t.Errorf("%s with a broken extra element: %v", m.name, err)
		}
	}
}

func TestFlippedMessagesDoNotPanic(t *testing.T) {
	for _, m := range messages(t) {
		for i := range unhex(t, m.hex) {
			for flip := 1; flip < 256; flip++ {
				plain := unhex(t, m.hex)
				plain[i] ^= byte(flip)
				kind, body, err := SplitMessage(plain)
				if err != nil {
					continue
				}
				if parse := parsers[kind]; parse != nil {
					checkReencodes(t, parse, body)
				}
			}
		}
	}
}

// checkReencodes checks that what parses is written, parsed and written the same.
func checkReencodes(t testing.TB, parse func(dst, body []byte) ([]byte, error), body []byte) {
	t.Helper()
	first, err := parse(nil, body)
	if err != nil {
		return
	}
	if len(first) > len(body)+1 {
		t.Fatalf("%x is written longer, as %x", body, first)
	}
	second, err := parse(nil, first[1:])
	if err != nil || !bytes.Equal(first, second) {
		t.Fatalf("%x is written as %x, then as %x, %v", body, first, second, err)
	}
}

func TestMessagesRefused(t *testing.T) {
	tests := []struct {
		name, hex string
		want      error
	}{
		{"ping with an id of 9 bytes", "01cb8901020304050607080901", ErrRequestIDSize},
		{"talkresp with an id of 56 bytes", "06f83b" + "b838" + hex.EncodeToString(make([]byte, 56)) + "80", ErrRequestIDSize},
		{"id is a list", "01c2c001", ErrMessage},
		{"id is not canonical", "01c3810101", ErrMessage},
		{"no list", "0180", ErrMessage},
		{"no body", "01", ErrMessage},
		{"ping with a seq of 9 bytes", "01cb0189010000000000000000", ErrMessage},
		{"ping with a leading zero in seq", "01c401820001", ErrMessage},
		{"ping with a zero byte as seq", "01c20100", ErrMessage},
		{"ping with a list as seq", "01c201c0", ErrMessage},
		{"pong with an ip of 5 bytes", "02cb0101857f00000102821388", ErrRecipientIP},
		{"pong without ip", "02c6010180821388", ErrRecipientIP},
		{"pong with an ip of 15 bytes", "02d501018f" + hex.EncodeToString(make([]byte, 15)) + "82ffff", ErrRecipientIP},
		{"pong with port 65536", "02cb0101847f00000183010000", ErrMessage},
		{"findnode with a distance instead of a list", "03c20101", ErrMessage},
		{"findnode with a list in the list", "03c301c1c0", ErrMessage},
		{"findnode with a leading zero", "03c501c3820001", ErrMessage},
		{"findnode with a distance of 9 bytes", "03cc01ca89010000000000000000", ErrMessage},
		{"nodes with a string as record", "04c50101c2c001", ErrMessage},
		{"nodes with total of 2³¹", "04c7018480000000c0", ErrMessage},
		{"nodes with a string as list", "04c3010180", ErrMessage},
		{"talkreq with a list as protocol", "05c301c080", ErrMessage},
		{"talkreq with a list as payload", "05c30180c0", ErrMessage},
		{"talkresp with a list as payload", "06c201c0", ErrMessage},
	}
	for _, tt := range tests {
		kind, body, err := SplitMessage(unhex(t, tt.hex))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := parsers[kind](nil, body); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %x, %v, want %v", tt.name, got, err, tt.want)
		}
	}
}

func TestSplitMessage(t *testing.T) {
	for _, plain := range [][]byte{nil, {}, {0}, {0, 0xc0}} {
		if _, _, err := SplitMessage(plain); !errors.Is(err, ErrMessageType) {
			t.Errorf("%x: %v", plain, err)
		}
	}
	for kind := 1; kind < 256; kind++ {
		got, body, err := SplitMessage([]byte{byte(kind), 0xc1, 0x01})
		if err != nil || got != MessageType(kind) || !bytes.Equal(body, []byte{0xc1, 0x01}) {
			t.Errorf("type %d: %v, %x, %v", kind, got, body, err)
		}
		if known := kind <= 6; known == (got.String() == "UNKNOWN") {
			t.Errorf("type %d is called %v", kind, got)
		}
	}
}

func TestPongUnmapsIPv4(t *testing.T) {
	mapped := netip.MustParseAddrPort("[::ffff:10.0.0.1]:30303")
	want := netip.MustParseAddrPort("10.0.0.1:30303")
	body := unhex(t, "d60101"+"90"+"00000000000000000000ffff0a000001"+"82765f")
	m, err := ParsePong(body)
	if err != nil || m.Recipient != want {
		t.Errorf("parsed %v, %v", m.Recipient, err)
	}
	m.Recipient = mapped
	if got, want := m.Append(nil), (Pong{m.RequestID, m.ENRSeq, want}).Append(nil); !bytes.Equal(got, want) {
		t.Errorf("written as %x, want %x", got, want)
	}
	if _, err := ParsePong(Pong{}.Append(nil)[1:]); err != nil {
		t.Errorf("pong to nowhere: %v", err)
	}
}

func TestRequestID(t *testing.T) {
	seen := map[RequestID]bool{}
	for _, text := range []string{"", "00", "0000", "01", "0001", "80", "ff", "0000000000000001", "0102030405060708"} {
		want := unhex(t, text)
		id := requestID(t, want...)
		if seen[id] {
			t.Errorf("%q equals another id", text)
		}
		seen[id] = true
		if id.String() != text || id.Len() != len(want) || !bytes.Equal(id.Bytes(), want) ||
			!bytes.Equal(id.Append([]byte("x")), append([]byte("x"), want...)) {
			t.Errorf("%q reads %v, %d bytes, %x", text, id, id.Len(), id.Bytes())
		}
		m, err := ParsePing(Ping{id, 1}.Append(nil)[1:])
		if err != nil || m.RequestID != id {
			t.Errorf("%q comes back as %v, %v", text, m.RequestID, err)
		}
	}
	if _, err := NewRequestID(make([]byte, 9)); !errors.Is(err, ErrRequestIDSize) {
		t.Errorf("9 bytes: %v", err)
	}
}

package codec

import "github.com/ethereum/go-ethereum/rlp"

// Sizes in bytes, from discv5-wire.md, "UDP Communication" and "Packet Encoding".
const (
	// MinPacketSize is the smallest packet there is, a WHOAREYOU.
	MinPacketSize = IVSize + StaticHeaderSize + WhoareyouAuthSize // 63
	// MaxPacketSize is the largest packet that may be sent or processed.
	MaxPacketSize = 1280

	IVSize           = 16 // masking-iv
	StaticHeaderSize = 23 // protocol-id(6) version(2) flag(1) nonce(12) authdata-size(2)
	NonceSize        = 12
	IDNonceSize      = 16
	TagSize          = 16 // what AES-GCM adds to a message

	// ChallengeDataSize is the size of an unmasked WHOAREYOU, the salt of a handshake.
	ChallengeDataSize = MinPacketSize

	MessageAuthSize   = 32 // src-id
	WhoareyouAuthSize = 24 // id-nonce(16) enr-seq(8)
	HandshakeHeadSize = 34 // src-id(32) sig-size(1) eph-key-size(1)
	SignatureSize     = 64 // id-signature of scheme "v4"
	EphemeralKeySize  = 33 // compressed secp256k1 point of scheme "v4"

	// MaxMessageSize is the largest message that an ordinary message packet holds.
	MaxMessageSize = MaxPacketSize - messageOverhead // 1193

	// RandomPayloadSize is how many random bytes a first-contact packet should
	// carry: as many as an encrypted FINDNODE for distances 256, 255 and 254, so
	// that the packet looks like a request. Receivers are known to insist on TagSize.
	RandomPayloadSize = 35

	messageOverhead   = IVSize + StaticHeaderSize + MessageAuthSize + TagSize // 87
	handshakeOverhead = IVSize + StaticHeaderSize + HandshakeHeadSize +
		SignatureSize + EphemeralKeySize + TagSize // 186
)

// Sizes of messages.
const (
	// MaxRequestIDSize is the longest request id.
	// Spec: "request-id is an RLP byte array of length <= 8 bytes."
	MaxRequestIDSize = 8

	// MaxDistance is the largest log2 distance of two 256-bit node ids.
	MaxDistance = 256

	// MaxTalkResponse is the longest TALKRESP payload that fits a packet: what is
	// left of MaxMessageSize behind the type (1), the list header (3), a request
	// id of 8 bytes (9) and the string header of the payload (3).
	MaxTalkResponse = MaxMessageSize - talkOverhead - 3 // 1177

	talkOverhead = 1 + 3 + 1 + MaxRequestIDSize // 13
)

// MaxTalkRequest returns the longest TALKREQ payload that fits a packet beside
// the given protocol name, whatever the request id. It is negative if no
// request under that name fits, which takes a name beyond 1177 bytes.
//
//	  1280  MaxPacketSize
//	-   71  masking-iv (16), static-header (23), src-id (32)
//	-   16  tag
//	-    1  message type
//	-    3  header of the list, longer than 255 bytes
//	-    9  request id of 8 bytes and its header
//	-    p  protocol: 1 + len for the usual 2 to 55 bytes, 1 for a single byte
//	        below 0x80 and for none, 2 + len or 3 + len for the long ones
//	-    3  header of the payload, longer than 255 bytes
//	= 1176 - len(protocol) for the usual names
func MaxTalkRequest(protocol []byte) int {
	room := MaxMessageSize - talkOverhead - int(rlp.BytesSize(protocol))
	switch {
	case room >= 3+256:
		return room - 3
	case room >= 2+56:
		return min(room-2, 255)
	default:
		return min(room-1, 55)
	}
}

// MessagePacketSize returns the size of an ordinary message packet that carries
// a message of messageLen bytes.
func MessagePacketSize(messageLen int) int { return messageOverhead + messageLen }

// HandshakePacketSize returns the size of a handshake message packet with a
// record of recordLen bytes (0 for none) and a message of messageLen bytes.
func HandshakePacketSize(recordLen, messageLen int) int {
	return handshakeOverhead + recordLen + messageLen
}

package codec

import (
	"encoding/binary"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// The Append functions append one whole packet to dst and return the extended
// slice; they allocate only where dst lacks the room. None of them looks at the
// size of the result: whoever composes a message compares MessagePacketSize or
// HandshakePacketSize with MaxPacketSize first. A message must not lie in the
// spare room of dst. An IV must be random and a nonce unique under its key.

// AppendMessagePacket appends an ordinary message packet from src to the node
// of the mask, its message sealed with c.
func AppendMessagePacket(dst []byte, protocol ProtocolID, to *Mask, iv IV, nonce Nonce,
	src enode.ID, c *Cipher, message []byte,
) []byte {
	start := len(dst)
	dst = appendHeader(dst, protocol, iv, FlagMessage, nonce, MessageAuthSize)
	dst = append(dst, src[:]...)
	dst = c.seal(dst, start, message)
	to.xor(dst[start:], 0, StaticHeaderSize+MessageAuthSize)
	return dst
}

// AppendRandomPacket appends the first packet to a node without a session: an
// ordinary message packet which nobody can decrypt, and which the recipient
// therefore answers with a WHOAREYOU. random should be RandomPayloadSize random
// bytes, and must be at least TagSize for some recipients to answer.
func AppendRandomPacket(dst []byte, protocol ProtocolID, to *Mask, iv IV, nonce Nonce,
	src enode.ID, random []byte,
) []byte {
	start := len(dst)
	dst = appendHeader(dst, protocol, iv, FlagMessage, nonce, MessageAuthSize)
	dst = append(dst, src[:]...)
	dst = append(dst, random...)
	to.xor(dst[start:], 0, StaticHeaderSize+MessageAuthSize)
	return dst
}

// AppendWhoareyou appends a WHOAREYOU. nonce is that of the packet it answers,
// enrSeq the sequence number of the record known of that packet's sender, 0 for
// none.
func AppendWhoareyou(dst []byte, protocol ProtocolID, to *Mask, iv IV, nonce Nonce,
	idNonce IDNonce, enrSeq uint64,
) []byte {
	return AppendWhoareyouFromChallengeData(dst, to, WhoareyouChallengeData(protocol, iv, nonce, idNonce, enrSeq))
}

// WhoareyouChallengeData returns what the sender of a WHOAREYOU remembers until
// the handshake packet comes: the whole packet, unmasked.
//
//	challenge-data = masking-iv || static-header || authdata
func WhoareyouChallengeData(protocol ProtocolID, iv IV, nonce Nonce, idNonce IDNonce,
	enrSeq uint64,
) [ChallengeDataSize]byte {
	var data [ChallengeDataSize]byte
	b := appendHeader(data[:0], protocol, iv, FlagWhoareyou, nonce, WhoareyouAuthSize)
	b = append(b, idNonce[:]...)
	binary.BigEndian.AppendUint64(b, enrSeq)
	return data
}

// AppendWhoareyouFromChallengeData appends the WHOAREYOU that challengeData
// describes: the same bytes each time, for sending one again.
func AppendWhoareyouFromChallengeData(dst []byte, to *Mask, challengeData [ChallengeDataSize]byte) []byte {
	start := len(dst)
	dst = append(dst, challengeData[:]...)
	to.xor(dst[start:], 0, StaticHeaderSize+WhoareyouAuthSize)
	return dst
}

// Handshake is what a handshake message packet carries beside the message.
type Handshake struct {
	Signature    [SignatureSize]byte    // of SignIDNonce
	EphemeralKey [EphemeralKeySize]byte // compressed
	// Record is the sender's node record, at most 300 bytes; empty where the
	// enr-seq of the WHOAREYOU says that the recipient has it.
	Record []byte
}

// AppendHandshakePacket appends the answer to a WHOAREYOU, its message sealed
// with c, the initiator key of the new session. nonce is a new one.
func AppendHandshakePacket(dst []byte, protocol ProtocolID, to *Mask, iv IV, nonce Nonce,
	src enode.ID, hs *Handshake, c *Cipher, message []byte,
) []byte {
	start := len(dst)
	authSize := HandshakeHeadSize + SignatureSize + EphemeralKeySize + len(hs.Record)
	dst = appendHeader(dst, protocol, iv, FlagHandshake, nonce, authSize)
	dst = append(dst, src[:]...)
	dst = append(dst, SignatureSize, EphemeralKeySize)
	dst = append(dst, hs.Signature[:]...)
	dst = append(dst, hs.EphemeralKey[:]...)
	dst = append(dst, hs.Record...)
	dst = c.seal(dst, start, message)
	to.xor(dst[start:], 0, StaticHeaderSize+authSize)
	return dst
}

// appendHeader appends an IV and an unmasked static header.
//
//	static-header = protocol-id || version || flag || nonce || authdata-size
func appendHeader(dst []byte, protocol ProtocolID, iv IV, flag Flag, nonce Nonce, authSize int) []byte {
	dst = append(dst, iv[:]...)
	dst = append(dst, protocol[:]...)
	dst = append(dst, version>>8, version&0xff, byte(flag))
	dst = append(dst, nonce[:]...)
	return append(dst, byte(authSize>>8), byte(authSize))
}

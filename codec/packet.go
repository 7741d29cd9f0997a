package codec

import (
	"encoding/binary"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// ProtocolID tells networks apart; packets of another one are not understood.
type ProtocolID [6]byte

// DefaultProtocolID is the protocol id of the specification and of Ethereum's network.
var DefaultProtocolID = ProtocolID{'d', 'i', 's', 'c', 'v', '5'}

// version is the only protocol version there is.
const version = 0x0001

type (
	// Nonce of a packet. A WHOAREYOU repeats that of the packet it answers.
	Nonce [NonceSize]byte
	// IDNonce is the random part of a WHOAREYOU.
	IDNonce [IDNonceSize]byte
	// IV is the masking-iv, random for each packet.
	IV [IVSize]byte
)

// Flag is the kind of a packet.
type Flag byte

// The three kinds of packets.
const (
	FlagMessage   Flag = 0 // ordinary message packet
	FlagWhoareyou Flag = 1
	FlagHandshake Flag = 2
)

// String returns a lower-case name for logs and metrics.
func (f Flag) String() string {
	switch f {
	case FlagMessage:
		return "message"
	case FlagWhoareyou:
		return "whoareyou"
	case FlagHandshake:
		return "handshake"
	}
	return "unknown"
}

// Packet is one datagram with its header unmasked. Its slices point into the
// datagram and are valid as long as that is left alone.
type Packet struct {
	Flag  Flag
	Nonce Nonce

	// SrcID is who claims to have sent a message or handshake packet. Only
	// opening the ciphertext proves it.
	SrcID enode.ID

	// IDNonce and ENRSeq are the contents of a WHOAREYOU.
	IDNonce IDNonce
	ENRSeq  uint64

	// Signature (64 bytes), EphemeralKey (33 bytes) and Record are those of a
	// handshake. Record is raw, unchecked and may be empty.
	Signature, EphemeralKey, Record []byte

	// Header is masking-iv || static-header || authdata, unmasked: the additional
	// data of the message, and the challenge-data of a WHOAREYOU.
	Header []byte

	// Ciphertext is the encrypted message with its tag. It is empty in a
	// WHOAREYOU, and of any length in an ordinary message packet, since the
	// first packet to a stranger carries random bytes.
	Ciphertext []byte
}

// Offsets into a packet.
const (
	flagOffset     = IVSize + 8
	nonceOffset    = IVSize + 9
	authSizeOffset = nonceOffset + NonceSize
	authOffset     = IVSize + StaticHeaderSize
)

// ParsePacket unmasks the header of a datagram in place and splits it. own is
// the mask of the receiving node.
//
// With ErrPacketSize and ErrProtocolID the datagram is as it was, so that the
// mask of another identity may be tried; with every other error it is spoilt.
func ParsePacket(datagram []byte, protocol ProtocolID, own *Mask) (Packet, error) {
	if len(datagram) < MinPacketSize || len(datagram) > MaxPacketSize {
		return Packet{}, ErrPacketSize
	}
	// Spec: "It can then decrypt the static-header and verify that protocol-id
	// matches the expected string. If it does, the recipient can read
	// authdata-size and unmask the remaining authdata." The static header ends
	// within the second block of the key stream.
	const head = 32
	own.xor(datagram, 0, head)
	if ProtocolID(datagram[IVSize:]) != protocol {
		own.xor(datagram, 0, head)
		return Packet{}, ErrProtocolID
	}
	if binary.BigEndian.Uint16(datagram[IVSize+6:]) != version {
		return Packet{}, ErrVersion
	}
	authSize := int(binary.BigEndian.Uint16(datagram[authSizeOffset:]))
	end := authOffset + authSize
	if end > len(datagram) {
		return Packet{}, ErrAuthDataSize
	}
	own.xor(datagram, head, StaticHeaderSize+authSize)

	p := Packet{
		Flag:       Flag(datagram[flagOffset]),
		Nonce:      Nonce(datagram[nonceOffset:]),
		Header:     datagram[:end:end],
		Ciphertext: datagram[end:len(datagram):len(datagram)],
	}
	var err error
	switch auth := datagram[authOffset:end:end]; p.Flag {
	case FlagMessage:
		err = p.parseMessageAuth(auth)
	case FlagWhoareyou:
		err = p.parseWhoareyouAuth(auth)
	case FlagHandshake:
		err = p.parseHandshakeAuth(auth)
	default:
		err = ErrFlag
	}
	if err != nil {
		return Packet{}, err
	}
	return p, nil
}

// authdata      = src-id
// authdata-size = 32
func (p *Packet) parseMessageAuth(auth []byte) error {
	if len(auth) != MessageAuthSize {
		return ErrAuthDataSize
	}
	p.SrcID = enode.ID(auth)
	return nil
}

// Spec: "The message part of WHOAREYOU packets is always empty."
//
//	authdata      = id-nonce || enr-seq
//	authdata-size = 24
func (p *Packet) parseWhoareyouAuth(auth []byte) error {
	if len(auth) != WhoareyouAuthSize {
		return ErrAuthDataSize
	}
	if len(p.Ciphertext) != 0 {
		return ErrTrailingBytes
	}
	p.IDNonce = IDNonce(auth)
	p.ENRSeq = binary.BigEndian.Uint64(auth[IDNonceSize:])
	return nil
}

// authdata      = authdata-head || id-signature || eph-pubkey || record
// authdata-head = src-id || sig-size || eph-key-size
// authdata-size = 34 + sig-size + eph-key-size + len(record)
func (p *Packet) parseHandshakeAuth(auth []byte) error {
	if len(auth) < HandshakeHeadSize {
		return ErrAuthDataSize
	}
	// Spec: "sig-size = uint8 -- value: 64 for ID scheme v4", "eph-key-size =
	// uint8 -- value: 33 for ID scheme v4"; no other scheme exists.
	if auth[32] != SignatureSize {
		return ErrSignatureSize
	}
	if auth[33] != EphemeralKeySize {
		return ErrEphemeralKeySize
	}
	const key = HandshakeHeadSize + SignatureSize
	const record = key + EphemeralKeySize
	if len(auth) < record {
		return ErrAuthDataSize
	}
	if len(p.Ciphertext) <= TagSize {
		return ErrCiphertextSize
	}
	p.SrcID = enode.ID(auth)
	p.Signature = auth[HandshakeHeadSize:key:key]
	p.EphemeralKey = auth[key:record:record]
	p.Record = auth[record:]
	return nil
}

// Package codec is the wire format of Node Discovery v5.1: packets, messages and
// key derivation, without I/O, clock, randomness or memory of sessions.
//
// # Layout
//
// A datagram is unmasked and split by [ParsePacket], its message decrypted by
// [Cipher.Open], classified by [SplitMessage] and parsed by [ParsePing] and its
// siblings. On the way out a message's Append is followed by
// [AppendMessagePacket] or [AppendHandshakePacket]. Everything random — IVs,
// nonces, ephemeral keys — is an argument.
//
// packet.go, append.go and mask.go hold the packets, cipher.go the encryption of
// messages, keys.go the handshake's key agreement and signature, sizes.go the
// limits; message.go and a file per pair of messages hold the rest.
//
// # Goroutines and ownership
//
// There are no goroutines. [Mask] and [Cipher] are immutable and shared freely,
// everything else is a plain value. The package keeps no slice it is given, but
// parsed packets and messages point into the bytes they were parsed from:
// whoever keeps them beyond the life of the datagram copies.
//
// Parsing, opening and appending allocate nothing as long as dst has room.
//
// # Errors
//
// Whatever is wrong with bytes of a peer is a sentinel of errors.go, and no
// partial value comes with it. No such bytes make a function panic.
//
// # Limits
//
// Packets are 63 to 1280 bytes, request ids at most 8. Beyond what fits a packet
// the number of records in a NODES, and whether a record is valid, is for the
// caller to judge. FINDNODE keeps each distance from 0 to 256 once.
//
// # Specification
//
// discv5-wire.md and discv5-theory.md of github.com/ethereum/devp2p, protocol
// version v5.1. Deliberate readings of it:
//
//   - The version must be exactly 0x0001: the specification names no other.
//   - An ordinary message packet may carry any number of bytes as its message,
//     because the first packet to a stranger carries random ones; such a packet
//     deserves a WHOAREYOU. One that cannot even hold a tag never opens.
//   - RLP must be canonical. Elements beyond the known ones of a message are
//     ignored, as long as they are well formed; bytes behind the list are not.
package codec

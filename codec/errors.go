package codec

import "errors"

// Errors of packets. All of them mean: drop the datagram. Only ErrDecrypt, on
// an ordinary message packet, is answered (with a WHOAREYOU).
var (
	// ErrPacketSize: the datagram is shorter than MinPacketSize or longer than MaxPacketSize.
	ErrPacketSize = errors.New("codec: packet size outside 63..1280 bytes")
	// ErrProtocolID: the unmasked header names another protocol, or the packet is meant for another node.
	ErrProtocolID = errors.New("codec: protocol id does not match")
	// ErrVersion: the protocol version is not 0x0001.
	ErrVersion = errors.New("codec: protocol version is not 1")
	// ErrFlag: the flag is none of message, WHOAREYOU, handshake.
	ErrFlag = errors.New("codec: unknown packet flag")
	// ErrAuthDataSize: authdata-size does not suit the flag, or exceeds the datagram.
	ErrAuthDataSize = errors.New("codec: authdata size does not suit the packet")
	// ErrSignatureSize: the id-signature of a handshake is not 64 bytes, the size of scheme "v4".
	ErrSignatureSize = errors.New("codec: id signature is not 64 bytes")
	// ErrEphemeralKeySize: the ephemeral key of a handshake is not 33 bytes, the size of scheme "v4".
	ErrEphemeralKeySize = errors.New("codec: ephemeral key is not 33 bytes")
	// ErrTrailingBytes: bytes follow where the packet or message must end.
	ErrTrailingBytes = errors.New("codec: trailing bytes")
	// ErrCiphertextSize: a handshake carries fewer bytes than a tag and one byte of message.
	ErrCiphertextSize = errors.New("codec: ciphertext shorter than a tag and one byte")
	// ErrDecrypt: the message does not authenticate under the key that was tried.
	ErrDecrypt = errors.New("codec: message does not authenticate")
	// ErrEphemeralKey: the ephemeral key is not a point of the curve.
	ErrEphemeralKey = errors.New("codec: ephemeral key is not on the curve")
	// ErrIDSignature: the id-signature was not made by the given key over the given challenge.
	ErrIDSignature = errors.New("codec: id signature does not verify")
)

// Errors of messages. All of them mean: drop the message.
var (
	// ErrMessageType: the message is empty or its type is 0.
	ErrMessageType = errors.New("codec: no message type")
	// ErrMessage: the message data is not the RLP list that its type requires.
	ErrMessage = errors.New("codec: malformed message data")
	// ErrRequestIDSize: the request id is longer than MaxRequestIDSize.
	ErrRequestIDSize = errors.New("codec: request id longer than 8 bytes")
	// ErrRecipientIP: the recipient-ip of a PONG is neither 4 nor 16 bytes.
	ErrRecipientIP = errors.New("codec: recipient ip is neither 4 nor 16 bytes")
)

package codec

// To add a message type:
//
//  1. Name it below and in String.
//  2. Write its struct, ParseX and Append into a file of its own, as talk.go does;
//     Append must write what its size function counts.
//  3. Add it to the messages of message_test.go, which tries truncations, extra
//     elements, round trips and allocations on each, and to FuzzMessage.

// MessageType is the first byte of a decrypted message.
type MessageType byte

// The messages of discv5-wire.md, "Protocol Messages", that this package knows.
// Types from 0x07 on are left to whoever understands them.
const (
	PingType     MessageType = 0x01
	PongType     MessageType = 0x02
	FindNodeType MessageType = 0x03
	NodesType    MessageType = 0x04
	TalkReqType  MessageType = 0x05
	TalkRespType MessageType = 0x06
)

// String returns the name of the specification, or "UNKNOWN".
func (t MessageType) String() string {
	switch t {
	case PingType:
		return "PING"
	case PongType:
		return "PONG"
	case FindNodeType:
		return "FINDNODE"
	case NodesType:
		return "NODES"
	case TalkReqType:
		return "TALKREQ"
	case TalkRespType:
		return "TALKRESP"
	}
	return "UNKNOWN"
}

// SplitMessage splits a decrypted message into its type and its data, which
// ParsePing and its siblings take. Types unknown to this package are no error;
// an empty message and type 0 are ErrMessageType.
//
//	message-pt = message-type || message-data
func SplitMessage(plaintext []byte) (MessageType, []byte, error) {
	if len(plaintext) == 0 || plaintext[0] == 0 {
		return 0, nil, ErrMessageType
	}
	return MessageType(plaintext[0]), plaintext[1:], nil
}

// appendHead appends what every message begins with: its type, the header of a
// list of size bytes, and the request id.
func appendHead(dst []byte, t MessageType, size int, id RequestID) []byte {
	dst = append(dst, byte(t))
	dst = appendListHeader(dst, size)
	return id.appendRLP(dst)
}

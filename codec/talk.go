package codec

import "github.com/ethereum/go-ethereum/rlp"

// TalkReq is a request of the application protocol that Protocol names. Its
// slices point into the message it was parsed from.
type TalkReq struct {
	RequestID RequestID
	Protocol  []byte
	Payload   []byte // at most MaxTalkRequest(Protocol) bytes fit a packet
}

// TalkResp answers a TalkReq. Payload is empty where the protocol is unknown to
// the recipient. It points into the message it was parsed from.
type TalkResp struct {
	RequestID RequestID
	Payload   []byte // at most MaxTalkResponse bytes fit a packet
}

// ParseTalkReq parses the data of a TALKREQ; see ParsePing for the errors.
//
//	message-data = [request-id, protocol, request]
func ParseTalkReq(body []byte) (TalkReq, error) {
	id, fields, err := splitRequestID(body)
	if err != nil {
		return TalkReq{}, err
	}
	protocol, fields, err := rlp.SplitString(fields)
	if err != nil {
		return TalkReq{}, ErrMessage
	}
	payload, fields, err := rlp.SplitString(fields)
	if err != nil {
		return TalkReq{}, ErrMessage
	}
	if err := checkExtra(fields); err != nil {
		return TalkReq{}, err
	}
	return TalkReq{id, protocol, payload}, nil
}

// Size returns the size of the message, type included.
func (m TalkReq) Size() int { return messageSize(m.contentSize()) }

func (m TalkReq) contentSize() int {
	return m.RequestID.encodedSize() + stringSize(m.Protocol) + stringSize(m.Payload)
}

// Append appends the message, type included.
func (m TalkReq) Append(dst []byte) []byte {
	dst = appendHead(dst, TalkReqType, m.contentSize(), m.RequestID)
	dst = appendString(dst, m.Protocol)
	return appendString(dst, m.Payload)
}

// ParseTalkResp parses the data of a TALKRESP; see ParsePing for the errors.
//
//	message-data = [request-id, response]
func ParseTalkResp(body []byte) (TalkResp, error) {
	id, fields, err := splitRequestID(body)
	if err != nil {
		return TalkResp{}, err
	}
	payload, fields, err := rlp.SplitString(fields)
	if err != nil {
		return TalkResp{}, ErrMessage
	}
	if err := checkExtra(fields); err != nil {
		return TalkResp{}, err
	}
	return TalkResp{id, payload}, nil
}

// Size returns the size of the message, type included.
func (m TalkResp) Size() int { return messageSize(m.contentSize()) }

func (m TalkResp) contentSize() int { return m.RequestID.encodedSize() + stringSize(m.Payload) }

// Append appends the message, type included.
func (m TalkResp) Append(dst []byte) []byte {
	dst = appendHead(dst, TalkRespType, m.contentSize(), m.RequestID)
	return appendString(dst, m.Payload)
}

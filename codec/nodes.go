package codec

import (
	"iter"
	"math"

	"github.com/ethereum/go-ethereum/rlp"
)

// Nodes answers a FindNode, together with Total-1 others.
type Nodes struct {
	RequestID RequestID
	Total     int // number of responses, as claimed; not checked beyond 0 <= Total < 2³¹
	Records   Records
}

// Records is the list of node records of one Nodes message, raw. It points into
// the message. The zero value is empty.
type Records struct {
	content []byte // encoded records, one after the other
	size    int
}

// Len returns the number of records. Nothing but the size of a packet bounds
// it: a hostile message has more than a thousand empty ones.
func (r Records) Len() int { return r.size }

// All ranges over the records. Each is an RLP list as encoded, header included,
// and nothing else has been checked. It points into the message.
func (r Records) All() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for rest := r.content; len(rest) > 0; {
			record, tail, err := splitRecord(rest)
			if err != nil || !yield(record) {
				return
			}
			rest = tail
		}
	}
}

// splitRecord splits the first record, header included, off a list of them.
func splitRecord(b []byte) (record, rest []byte, err error) {
	_, rest, err = rlp.SplitList(b)
	if err != nil {
		return nil, nil, ErrMessage
	}
	n := len(b) - len(rest)
	return b[:n:n], rest, nil
}

// ParseNodes parses the data of a NODES; see ParsePing for the errors. Records
// are not checked beyond each being a list. The result points into body.
//
//	message-data = [request-id, total, [ENR, ...]]
func ParseNodes(body []byte) (Nodes, error) {
	id, fields, err := splitRequestID(body)
	if err != nil {
		return Nodes{}, err
	}
	total, fields, err := rlp.SplitUint64(fields)
	if err != nil || total > math.MaxInt32 {
		return Nodes{}, ErrMessage
	}
	content, fields, err := rlp.SplitList(fields)
	if err != nil {
		return Nodes{}, ErrMessage
	}
	if err := checkExtra(fields); err != nil {
		return Nodes{}, err
	}
	count := 0
	for rest := content; len(rest) > 0; count++ {
		if _, rest, err = splitRecord(rest); err != nil {
			return Nodes{}, err
		}
	}
	return Nodes{id, int(total), Records{content, count}}, nil
}

// Append appends the message, type included.
func (m Nodes) Append(dst []byte) []byte {
	dst = appendNodesHead(dst, m.RequestID, m.Total, len(m.Records.content))
	return append(dst, m.Records.content...)
}

// AppendNodes appends a NODES message, type included, with encoded records.
// total is the number of NODES messages that answer the request, 1 to 16 here.
// It does not look at the size: see FitNodes.
func AppendNodes(dst []byte, id RequestID, total int, records [][]byte) []byte {
	size := 0
	for _, r := range records {
		size += len(r)
	}
	dst = appendNodesHead(dst, id, total, size)
	for _, r := range records {
		dst = append(dst, r...)
	}
	return dst
}

func appendNodesHead(dst []byte, id RequestID, total, recordBytes int) []byte {
	list := int(rlp.ListSize(uint64(recordBytes)))
	dst = appendHead(dst, NodesType, id.encodedSize()+rlp.IntSize(uint64(total))+list, id)
	dst = rlp.AppendUint64(dst, uint64(total))
	return appendListHeader(dst, recordBytes)
}

// NodesSize returns the size of a NODES message, type included, whose records
// are recordBytes bytes together.
func NodesSize(id RequestID, total, recordBytes int) int {
	list := int(rlp.ListSize(uint64(recordBytes)))
	return messageSize(id.encodedSize() + rlp.IntSize(uint64(total)) + list)
}

// FitNodes returns how many of the records, from the first on, fit one NODES
// message in a packet of MaxPacketSize, for any total below 128. It is 0 if
// there are none or the first alone is too long, which no valid record is.
func FitNodes(id RequestID, records [][]byte) int {
	size := 0
	for i, r := range records {
		size += len(r)
		if NodesSize(id, 1, size) > MaxMessageSize {
			return i
		}
	}
	return len(records)
}

package fields

import (
	"encoding/json"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
)

// Inspection is all that a record's text says, be its identity proven or not.
type Inspection struct {
	Valid  bool        // identity scheme, public key and signature are good
	Err    error       // why not, wrapping ErrScheme, ErrPublicKey or ErrSignature
	Node   *enode.Node // the node; nil unless Valid
	ID     enode.ID    // the node id that the public key stands for, proven only if Valid; zero without a usable key
	Seq    uint64
	Size   int // bytes of the RLP
	Record *enr.Record
	Fields []Field
}

// Inspect reads a record in text form as Parse does, but describes it even if identity scheme,
// public key or signature are not good: such a record must not be used, only shown. The error
// is that of Parse for text that holds no record at all.
func Inspect(text string) (*Inspection, error) {
	r, err := parseRecord(text)
	if err != nil {
		return nil, err
	}
	in := &Inspection{Seq: r.Seq(), Size: int(r.Size()), Record: r, Fields: Describe(r)}
	if addr := (enode.V4ID{}).NodeAddr(r); len(addr) == len(in.ID) {
		in.ID = enode.ID(addr)
	}
	in.Node, in.Err = verify(r)
	in.Valid = in.Err == nil
	return in, nil
}

// MarshalJSON writes an object of valid, nodeId (0x and hex), seq, size, fields and, where there is one, error.
func (in *Inspection) MarshalJSON() ([]byte, error) {
	out := struct {
		Valid  bool    `json:"valid"`
		Error  string  `json:"error,omitempty"`
		ID     string  `json:"nodeId,omitempty"`
		Seq    uint64  `json:"seq"`
		Size   int     `json:"size"`
		Fields []Field `json:"fields"`
	}{Valid: in.Valid, Seq: in.Seq, Size: in.Size, Fields: in.Fields}
	if in.Err != nil {
		out.Error = in.Err.Error()
	}
	if in.ID != (enode.ID{}) {
		out.ID = "0x" + in.ID.String()
	}
	return json.Marshal(out)
}

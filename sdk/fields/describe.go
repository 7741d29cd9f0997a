package fields

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
)

// Field is one key/value pair of a record, ready to be shown.
type Field struct {
	Key    string // as in the record; may hold any bytes, so print Name instead
	Value  string // one line of ASCII for people
	Raw    string // the RLP of the value, hex without 0x
	Known  bool   // the key is one of KnownKeys
	Detail any    // the decoded value, a type of this package or a plain one; nil if unknown or damaged
	Err    error  // why a value is damaged, a *DecodeError; then Value is as for an unknown key
}

// Name returns the key in a form that is safe to print: quoted unless it is a plain word.
func (f Field) Name() string { return display(f.Key) }

// String returns name, value and damage on one line of ASCII.
func (f Field) String() string {
	if f.Err != nil {
		return fmt.Sprintf("%s: %s (%v)", f.Name(), f.Value, f.Err)
	}
	return f.Name() + ": " + f.Value
}

// MarshalJSON writes an object of key, value, raw, known and, where there is one, detail and
// error. It is ASCII throughout, so that it can be shown on a terminal.
func (f Field) MarshalJSON() ([]byte, error) {
	out := struct {
		Key    string `json:"key"`
		Value  string `json:"value"`
		Raw    string `json:"raw"`
		Known  bool   `json:"known"`
		Detail any    `json:"detail,omitempty"`
		Error  string `json:"error,omitempty"`
	}{Key: f.Key, Value: f.Value, Raw: f.Raw, Known: f.Known, Detail: f.Detail}
	if !utf8.ValidString(f.Key) {
		out.Key = f.Name()
	}
	if f.Err != nil {
		out.Error = f.Err.Error()
	}
	b, err := json.Marshal(out)
	if err != nil {
		return nil, err
	}
	return asciiJSON(b), nil
}

// asciiJSON escapes what of a JSON text is not printable ASCII. Such characters stand in
// strings only.
func asciiJSON(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for _, r := range string(b) {
		switch {
		case r < 0x7f:
			out = append(out, byte(r))
		case r > 0xffff:
			r -= 0x10000
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}

// To add a key: write its type in the file of its network, with ENRKey, EncodeRLP, DecodeRLP,
// decode and String; enter it here; add its bytes to the tables of value_test.go.
var registry = map[string]func(key string, raw []byte) (detail any, text string, err error){
	"id":              describeID,
	"secp256k1":       func(key string, raw []byte) (any, string, error) { s, err := publicKey(key, raw); return s, s, err },
	"ip":              describeAddress(4),
	"ip6":             describeAddress(16),
	"udp":             describePort,
	"udp6":            describePort,
	"tcp":             describePort,
	"tcp6":            describePort,
	"quic":            describePort,
	"quic6":           describePort,
	"eth":             typed[Eth],
	"snap":            typed[Snap],
	"les":             typed[LES],
	"eth2":            typed[Eth2],
	"attnets":         typed[Attnets],
	"syncnets":        typed[Syncnets],
	"cgc":             typed[CGC],
	"nfd":             typed[NFD],
	"client":          typed[Client],
	"opstack":         typed[OPStack],
	"opel":            typed[OPEL],
	"eproof":          typed[EProof],
	"p":               typed[Portal],
	"pv":              typed[PortalVersions],
	"c":               typed[ShortClient],
	"waku2":           typed[Waku2],
	"multiaddrs":      typed[Multiaddrs],
	"rs":              typed[RelayShards],
	"rsv":             typed[RelayShardsVector],
	"domaintype":      typed[DomainType],
	"next_domaintype": typed[NextDomainType],
	"subnets":         typed[SSVSubnets],
	"ssv":             typed[SSV],
	"aztec":           typed[Aztec],
	"aztec_network":   typed[AztecNetwork],
}

// typed describes a value by its type of this package.
func typed[T fmt.Stringer, P interface {
	*T
	decode([]byte) error
}](_ string, raw []byte) (any, string, error) {
	var v T
	if err := P(&v).decode(raw); err != nil {
		return nil, "", err
	}
	return v, v.String(), nil
}

func describeID(key string, raw []byte) (any, string, error) {
	b, err := str(key, raw)
	if err != nil {
		return nil, "", err
	}
	if string(b) == string(enr.IDv4) {
		return string(b), string(b), nil
	}
	return string(b), bytesText(b), nil
}

func describePort(key string, raw []byte) (any, string, error) {
	p, err := port(key, raw)
	return p, strconv.Itoa(int(p)), err
}

func describeAddress(n int) func(string, []byte) (any, string, error) {
	return func(key string, raw []byte) (any, string, error) {
		var a netip.Addr
		a, err := address(key, raw, n)
		return a, a.String(), err
	}
}

// KnownKeys returns the keys that have a decoder, sorted.
func KnownKeys() []string { return slices.Sorted(maps.Keys(registry)) }

// DescribePair decodes one key/value pair; value is its RLP. It never fails: damage is in Err.
func DescribePair(key string, value []byte) Field {
	f := Field{Key: key, Raw: hex.EncodeToString(value)}
	decode, known := registry[key]
	if f.Known = known; known {
		detail, text, err := decode(key, value)
		if err == nil {
			f.Detail, f.Value = detail, text
			return f
		}
		f.Err = err
	}
	text, err := rlpText(value, 0)
	if err != nil {
		text = hexString(value)
		if f.Err == nil {
			f.Err = rlpError(key, err)
		}
	}
	f.Value = text
	return f
}

// Describe decodes every pair of a record, in the record's order, which is by key. It checks
// no signature. A nil record has no fields.
func Describe(r *enr.Record) []Field {
	if r == nil {
		return nil
	}
	elems := r.AppendElements(nil) // the sequence number, then keys and values
	out := make([]Field, 0, len(elems)/2)
	for i := 1; i+1 < len(elems); i += 2 {
		key, _ := elems[i].(string)
		value, _ := elems[i+1].(rlp.RawValue)
		out = append(out, DescribePair(key, value))
	}
	return out
}

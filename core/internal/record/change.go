package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/discv5/host/core/internal/endpoint"
)

// Owners with a meaning of their own. Every other name is that of a plugin.
const (
	Identity = "identity" // id and secp256k1, which nobody can change
	Endpoint = "endpoint" // ip, udp, ip6 and udp6, changed by SetEndpoint alone
	Operator = "operator" // the configuration; the only one to set tcp, tcp6, quic and quic6
)

// The predefined keys of EIP-778, with quic and quic6, and who may have them.
var predefined = map[string]string{
	"id": Identity, "secp256k1": Identity,
	"ip": Endpoint, "udp": Endpoint, "ip6": Endpoint, "udp6": Endpoint,
	"tcp": Operator, "tcp6": Operator, "quic": Operator, "quic6": Operator,
}

// Change is what one owner wants to be different. Remove is done before Set. The key of a field belongs to whoever
// set it first, until its owner removes it.
type Change struct {
	Owner string
	// Set holds values by key: anything package rlp can encode, an enr.Entry of that key among it, or an
	// rlp.RawValue that is taken as it is.
	Set map[string]any
	// Remove names keys; one that is not in the record is passed over.
	Remove []string

	all      bool // remove every field of the owner
	endpoint bool // made by SetEndpoint
}

// RemoveOwner is the change that takes all fields of an owner out of the record.
func RemoveOwner(owner string) Change { return Change{Owner: owner, all: true} }

// SetEndpoint is the change that makes the record name an endpoint of a family: ip and udp, or ip6 and udp6. The
// zero AddrPort takes them out; an AddrPort without an address leaves the port alone in the record, and one with port
// zero the address alone, for those that are not known.
func SetEndpoint(family endpoint.Family, at netip.AddrPort) Change {
	ip, udp := "ip", "udp"
	if family == endpoint.IPv6 {
		ip, udp = "ip6", "udp6"
	}
	c := Change{Owner: Endpoint, Set: make(map[string]any), Remove: []string{ip, udp}, endpoint: true}
	if addr := at.Addr().Unmap(); addr.IsValid() {
		c.Set[ip] = addr.AsSlice()
	}
	if at.Port() != 0 {
		c.Set[udp] = at.Port()
	}
	return c
}

// field is a key's owner and encoded value.
type field struct {
	owner string
	value rlp.RawValue
}

// apply carries out c on fields, which the caller throws away after an error.
func (c Change) apply(fields map[string]field) error {
	switch {
	case c.Owner == "", c.Owner == Identity, c.Owner == Endpoint && !c.endpoint && !c.all:
		return fmt.Errorf("%w: %q", ErrBadOwner, c.Owner)
	case c.all:
		maps.DeleteFunc(fields, func(_ string, f field) bool { return f.owner == c.Owner })
	}
	for _, key := range c.Remove {
		f, ok := fields[key]
		if ok && f.owner != c.Owner {
			return &FieldOwnedError{Key: key, Owner: f.owner, Asked: c.Owner}
		}
		delete(fields, key)
	}
	for _, key := range slices.Sorted(maps.Keys(c.Set)) { // sorted, so that the same mistake gives the same error
		if err := c.mayHave(key, fields); err != nil {
			return err
		}
		value, err := encode(c.Owner, key, c.Set[key])
		if err != nil {
			return err
		}
		fields[key] = field{c.Owner, value}
	}
	return nil
}

// mayHave reports why the owner of c may not set key.
func (c Change) mayHave(key string, fields map[string]field) error {
	if owner, ok := predefined[key]; ok && owner != c.Owner {
		return fmt.Errorf("%w: %q is set by %q, not by %q", ErrReserved, key, owner, c.Owner)
	}
	if f, ok := fields[key]; ok && f.owner != c.Owner {
		return &FieldOwnedError{Key: key, Owner: f.owner, Asked: c.Owner}
	}
	if key == "" || len(key) > enr.SizeLimit {
		return fmt.Errorf("%w: a key of %d bytes", ErrBadValue, len(key))
	}
	return nil
}

// encode is the RLP of a value, checked for what every reader of the record will ask of it.
func encode(owner, key string, v any) (rlp.RawValue, error) {
	raw, err := marshal(key, v)
	if err != nil {
		return nil, fmt.Errorf("%w: %q: %w", ErrBadValue, key, err)
	}
	if len(raw) > enr.SizeLimit {
		return nil, &TooLargeError{Size: len(raw), Max: enr.SizeLimit, Owners: []OwnerSize{{owner, len(raw)}}}
	}
	if rest, ok := item(raw); !ok || len(rest) != 0 {
		return nil, fmt.Errorf("%w: %q is not one canonical RLP item", ErrBadValue, key)
	}
	if !suits(key, raw) {
		return nil, fmt.Errorf("%w: %q", ErrBadValue, key)
	}
	return raw, nil
}

// marshal is the RLP of a value. A panic in the value's own methods, or in package rlp over nil inside of it, is an
// error here.
func marshal(key string, v any) (raw []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			raw, err = nil, fmt.Errorf("a value of type %T: %v", v, p)
		}
	}()
	if e, ok := v.(enr.Entry); ok && e.ENRKey() != key {
		return nil, fmt.Errorf("an entry for %q", e.ENRKey())
	}
	switch v := v.(type) {
	case nil:
		return nil, errors.New("no value")
	case rlp.RawValue:
		return slices.Clone(v), nil
	}
	return rlp.EncodeToBytes(v)
}

// item cuts the first RLP item off b, lists checked down to the last element.
func item(b []byte) (rest []byte, ok bool) {
	kind, content, rest, err := rlp.Split(b)
	if err != nil {
		return nil, false
	}
	for kind == rlp.List && len(content) > 0 {
		if content, ok = item(content); !ok {
			return nil, false
		}
	}
	return rest, true
}

// suits reports whether raw is a value that the predefined key can have; any other key can have any value.
func suits(key string, raw []byte) bool {
	switch key {
	case "udp", "udp6", "tcp", "tcp6", "quic", "quic6":
		var port uint16
		return rlp.DecodeBytes(raw, &port) == nil && port != 0
	case "ip", "ip6":
		kind, content, _, err := rlp.Split(raw)
		addr, ok := netip.AddrFromSlice(content)
		return err == nil && kind == rlp.String && ok && addr.Is4() == (key == "ip") && !addr.IsUnspecified() &&
			!addr.IsMulticast() && !(addr.Is4() && binary.BigEndian.Uint32(content) == 1<<32-1)
	}
	return true
}

package subject

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"

	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/sdk/fields"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// Forms says what Parse reads.
const Forms = `a node id of 64 hex digits, a node record, an address, or a range like "192.0.2.0/24"`

// maxText is more than the longest form has, the text of a record with 300 bytes.
const maxText = 512

// Subject is a node or a range of addresses, one of them. The zero value is neither.
type Subject struct {
	ID     enode.ID
	Prefix netip.Prefix // masked; an IPv4 range has an IPv4 address
}

// Parse reads a subject in one of the Forms. An address is a range with nothing else in it. A range of everybody is refused.
func Parse(text string) (Subject, error) {
	if len(text) > maxText {
		return Subject{}, hint.New(fmt.Sprintf("%q… is nobody to ban", text[:24]), "write "+Forms)
	}
	if addr, err := netip.ParseAddr(text); err == nil {
		if addr.Zone() != "" {
			return Subject{}, hint.New(fmt.Sprintf("%q has a zone", text), "leave out what begins with %")
		}
		addr = addr.Unmap()
		return Subject{Prefix: netip.PrefixFrom(addr, addr.BitLen())}, nil
	}
	if strings.Contains(text, "/") {
		return parseRange(text)
	}
	if strings.HasPrefix(text, "enr:") {
		n, err := fields.Parse(text)
		if err != nil {
			return Subject{}, hint.Wrap(fmt.Errorf("%.24q… is not a node record: %w", text, err), "copy the whole record again")
		}
		return Subject{ID: n.ID()}, nil
	}
	id, err := enode.ParseID(text)
	if err != nil || id == (enode.ID{}) {
		return Subject{}, hint.New(fmt.Sprintf("%q is nobody to ban", text), "write "+Forms)
	}
	return Subject{ID: id}, nil
}

func parseRange(text string) (Subject, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return Subject{}, hint.New(fmt.Sprintf("%q is not a range of addresses", text), `write an address and how many of its first bits count, like "192.0.2.0/24" or "2001:db8::/32"`)
	}
	if p.Addr().Is4In6() { // such packets are unmapped when they arrive
		if p.Bits() < 96 {
			return Subject{}, hint.New(fmt.Sprintf("%q is not a range of IPv4 addresses", text), "write an IPv4 range, like 192.0.2.0/24")
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	if p.Bits() == 0 {
		return Subject{}, hint.New(fmt.Sprintf("%q is everybody", text), "to speak no IPv4 or no IPv6, leave its address out of listen")
	}
	return Subject{Prefix: p.Masked()}, nil
}

// String is the form that Parse reads: the id, the address or the range. The zero value has none.
func (s Subject) String() string {
	switch {
	case s.Prefix.IsSingleIP():
		return s.Prefix.Addr().String()
	case s.Prefix.IsValid():
		return s.Prefix.String()
	case s.ID == (enode.ID{}):
		return ""
	}
	return hex.EncodeToString(s.ID[:])
}

// UnmarshalText is Parse.
func (s *Subject) UnmarshalText(text []byte) error {
	parsed, err := Parse(string(text))
	if err == nil {
		*s = parsed
	}
	return err
}

// MarshalText is String.
func (s Subject) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

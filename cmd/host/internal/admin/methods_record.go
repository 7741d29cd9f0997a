package admin

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"github.com/discv5/host/core"
	"github.com/ethereum/go-ethereum/rlp"
)

// updateNodeInfo takes the form of the specification, [socketAddr, isTcp], and that of Nimbus, [[key, hexValue]…], with or without a
// list around it.
func updateNodeInfo(ctx context.Context, a *args) (any, error) {
	var err error
	if first := a.values[0]; first[0] == '[' {
		err = a.updatePairs(ctx)
	} else {
		err = a.updateSocket(ctx)
	}
	if err != nil {
		return nil, err
	}
	self := a.s.cfg.Node.Self()
	return struct {
		ENR         string `json:"enr"`
		LocalNodeID string `json:"localNodeId"`
		NodeID      string `json:"nodeId"` // some clients look for this name
	}{self.String(), hexID(self.ID()), hexID(self.ID())}, nil
}

func (a *args) updateSocket(ctx context.Context) error {
	text, err := a.text(0, "an address with a port")
	if err != nil {
		return err
	}
	at, err := netip.ParseAddrPort(text)
	if err != nil {
		return a.bad(0, "an address with a port, like 192.0.2.1:9000, or pairs of a key and a value")
	}
	tcp := false
	if a.has(1) {
		if err := a.decode(1, &tcp, "true or false"); err != nil {
			return err
		}
	}
	n := a.s.cfg.Node
	at = netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
	if !tcp {
		return n.SetAdvertised(ctx, at)
	}
	// A record has one address of a family for UDP and TCP: to change it is to change the UDP endpoint.
	key, family := "tcp", "ipv4"
	if at.Addr().Is6() {
		key, family = "tcp6", "ipv6"
	}
	for _, e := range n.Endpoints() {
		if e.Family == family && e.Published.Addr() != at.Addr() {
			return fail(CodeInvalidParams, fmt.Sprintf("the record does not name %v, and it has one address for UDP and TCP", at.Addr()), "invalid_params", "publish the UDP endpoint at that address first")
		}
	}
	return n.SetFields(ctx, core.Operator, map[string]any{key: at.Port()})
}

func (a *args) updatePairs(ctx context.Context) error {
	const what = "pairs of a key and a value in hex"
	pairs, ok := pairsOf(a.values[0])
	if !ok {
		// [[key, value], [key, value]]: by place, these are two parameters.
		all := []json.RawMessage{}
		for _, v := range a.values {
			var some []json.RawMessage
			if v == nil {
				continue
			}
			if json.Unmarshal(v, &some) != nil {
				return a.bad(0, what)
			}
			if len(some) > 0 && some[0][0] == '[' { // what followed the first one
				all = append(all, some...)
			} else {
				all = append(all, v)
			}
		}
		text, err := json.Marshal(all)
		if err != nil {
			return a.bad(0, what)
		}
		if pairs, ok = pairsOf(text); !ok {
			return a.bad(0, what)
		}
	}
	set, remove := make(map[string]any), []string(nil)
	for _, p := range pairs {
		switch key, value := *p[0], p[1]; {
		case value == nil:
			remove = append(remove, key)
		default:
			b, err := hex.DecodeString(strings.TrimPrefix(*value, "0x"))
			if err != nil {
				return invalid(fmt.Sprintf("the value of %q is not hex", key))
			}
			set[key] = b
		}
	}
	return a.s.cfg.Node.SetFields(ctx, core.Operator, set, remove...)
}

// pairsOf reads [[key, value]…]; a value may be null.
func pairsOf(text json.RawMessage) (pairs [][]*string, ok bool) {
	if json.Unmarshal(text, &pairs) != nil {
		return nil, false
	}
	for _, p := range pairs {
		if len(p) != 2 || p[0] == nil {
			return nil, false
		}
	}
	return pairs, true
}

// setFields changes fields that the operator owns, all or none, and shows the record then.
func setFields(ctx context.Context, a *args) (any, error) {
	var fields map[string]json.RawMessage
	if err := a.decode(0, &fields, "an object of keys and values"); err != nil {
		return nil, err
	}
	set, remove := make(map[string]any), []string(nil)
	for key, text := range fields {
		value, err := fieldValue(text)
		if err != nil {
			return nil, invalid(fmt.Sprintf("the value of %q %v", key, err))
		}
		if value == nil {
			remove = append(remove, key)
		} else {
			set[key] = value
		}
	}
	if err := a.s.cfg.Node.SetFields(ctx, core.Operator, set, remove...); err != nil {
		return nil, err
	}
	return a.s.recordView(), nil
}

// fieldValue is a value as the record takes it; nil: none.
func fieldValue(text json.RawMessage) (any, error) {
	var number uint64
	if json.Unmarshal(text, &number) == nil && string(text) != "null" {
		return number, nil
	}
	var word *string
	if json.Unmarshal(text, &word) == nil {
		if word == nil {
			return nil, nil
		}
		digits, isHex := strings.CutPrefix(*word, "0x")
		if !isHex {
			return *word, nil
		}
		b, err := hex.DecodeString(digits)
		if err != nil {
			return nil, fmt.Errorf("is not hex: behind 0x come two digits for each byte")
		}
		return b, nil
	}
	var encoded struct{ RLP *string }
	if json.Unmarshal(text, &encoded) == nil && encoded.RLP != nil {
		b, err := hex.DecodeString(strings.TrimPrefix(*encoded.RLP, "0x"))
		if err != nil {
			return nil, fmt.Errorf("is not hex")
		}
		if _, _, rest, err := rlp.Split(b); err != nil || len(rest) > 0 {
			return nil, fmt.Errorf("is not one RLP value")
		}
		return rlp.RawValue(b), nil
	}
	return nil, fmt.Errorf(`is none of: a number, text, bytes as "0x…", {"rlp": "0x…"}, null`)
}

func unsetFields(ctx context.Context, a *args) (any, error) {
	keys, err := a.texts(0)
	if err != nil {
		return nil, err
	}
	if err := a.s.cfg.Node.SetFields(ctx, core.Operator, nil, keys...); err != nil {
		return nil, err
	}
	return a.s.recordView(), nil
}

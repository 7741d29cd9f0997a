package admin

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/cmd/host/internal/subject"
	"github.com/discv5/host/core"
	"github.com/discv5/host/sdk/fields"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// maxValues bounds the values in the parameters of a method of ours, however they are nested.
const maxValues = 4096

// args are the parameters of a call, in the order of the method's. They were given by place or by name.
type args struct {
	s      *Server
	names  []string
	values []json.RawMessage // nil: not given
}

// readArgs orders the parameters of a method. It refuses too many, too few and unknown ones.
func readArgs(m *method, params json.RawMessage) (*args, error) {
	a := &args{values: make([]json.RawMessage, len(m.params))}
	for _, p := range m.params {
		a.names = append(a.names, p.name)
	}
	if values(params) > maxValues {
		return nil, fail(CodeLimit, fmt.Sprintf("the parameters have more than %d values", maxValues), "too_large", "send fewer at a time")
	}
	var byPlace []json.RawMessage
	var byName map[string]json.RawMessage
	switch {
	case len(params) == 0 || bytes.Equal(params, null):
	case json.Unmarshal(params, &byPlace) == nil:
		if m.rest && len(byPlace) > len(m.params) {
			rest, err := json.Marshal(byPlace[len(m.params)-1:])
			if err != nil {
				return nil, invalid("the parameters cannot be read")
			}
			byPlace = append(byPlace[:len(m.params)-1], rest)
		}
		if len(byPlace) > len(m.params) {
			return nil, invalid(fmt.Sprintf("%d parameters, and %s takes %s", len(byPlace), m.name, m.usage()))
		}
		copy(a.values, byPlace)
	case json.Unmarshal(params, &byName) == nil:
		for name, value := range byName {
			i := slices.Index(a.names, name)
			if i < 0 {
				return nil, invalid(fmt.Sprintf("there is no parameter %q, %s takes %s", name[:min(len(name), 100)], m.name, m.usage()))
			}
			a.values[i] = value
		}
	default:
		return nil, invalid("parameters are a list or an object")
	}
	for i, p := range m.params {
		if bytes.Equal(a.values[i], null) {
			a.values[i] = nil
		}
		if a.values[i] == nil && !p.optional {
			return nil, invalid(fmt.Sprintf("%s is missing, %s takes %s", p.name, m.name, m.usage()))
		}
	}
	return a, nil
}

func (a *args) has(i int) bool { return a.values[i] != nil }

// decode reads a parameter into v.
func (a *args) decode(i int, v any, what string) error {
	if json.Unmarshal(a.values[i], v) != nil {
		return a.bad(i, what)
	}
	return nil
}

func (a *args) bad(i int, what string) error {
	return invalid(fmt.Sprintf("%s is %s", a.names[i], what))
}

func (a *args) text(i int, what string) (text string, err error) {
	if a.has(i) {
		err = a.decode(i, &text, what)
	}
	return strings.TrimSpace(text), err
}

// record reads a node record.
func (a *args) record(i int) (*enode.Node, error) {
	text, err := a.text(i, "a node record as text")
	if err != nil {
		return nil, err
	}
	return parseRecord(a.names[i], text)
}

func parseRecord(name, text string) (*enode.Node, error) {
	node, err := fields.Parse(text)
	if err != nil {
		return nil, fail(CodeInvalidParams, fmt.Sprintf("%s: not a node record: %v", name, err), "invalid_params", "a record is one word that begins with enr:, copied whole")
	}
	return node, nil
}

// node reads a node to ask: a record, or the id of one whose record is known here.
func (a *args) node(i int) (*enode.Node, error) {
	text, err := a.text(i, "a node record as text")
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(text, "enr:") {
		return parseRecord(a.names[i], text)
	}
	id, err := enode.ParseID(text)
	if err != nil {
		what := fmt.Sprintf("%s: %.80q is neither a node record nor a node id", a.names[i], text)
		return nil, fail(CodeInvalidParams, what, "invalid_params", "a record is one word that begins with enr:, and an id has 64 hex digits")
	}
	if id == a.s.cfg.Node.Self().ID() {
		return a.s.cfg.Node.Self(), nil
	}
	if node := a.s.cfg.Node.Node(id); node != nil {
		return node, nil
	}
	return nil, unknownNode(id)
}

func unknownNode(id enode.ID) error {
	return fail(CodeNotFound, fmt.Sprintf("no record of %s is known here", hexID(id)), "not_found", "discv5_lookupEnr looks for it in the network")
}

// id reads a node id; that of a record will do.
func (a *args) id(i int) (enode.ID, error) {
	text, err := a.text(i, "a node id, 64 hex digits")
	if err != nil {
		return enode.ID{}, err
	}
	if strings.HasPrefix(text, "enr:") {
		node, err := parseRecord(a.names[i], text)
		if err != nil {
			return enode.ID{}, err
		}
		return node.ID(), nil
	}
	id, err := enode.ParseID(text)
	if err != nil {
		return enode.ID{}, a.bad(i, "a node id, 64 hex digits")
	}
	return id, nil
}

// bytes reads bytes: hex behind 0x, else the text itself, which some clients send.
func (a *args) bytes(i int) ([]byte, error) {
	text := ""
	if err := a.decode(i, &text, "text: hex digits behind 0x"); err != nil {
		return nil, err
	}
	digits, isHex := strings.CutPrefix(text, "0x")
	if !isHex {
		return []byte(text), nil
	}
	b, err := hex.DecodeString(digits)
	if err != nil {
		return nil, a.bad(i, "not hex: behind 0x come two digits for each byte")
	}
	return b, nil
}

// subject reads whom a ban is for.
func (a *args) subject(i int) (b core.Ban, err error) {
	text, err := a.text(i, subject.Forms)
	if err != nil {
		return b, err
	}
	who, err := subject.Parse(text)
	if err != nil {
		return b, fail(CodeInvalidParams, fmt.Sprintf("%s: %v", a.names[i], err), "invalid_params", hint.Of(err))
	}
	return core.Ban{ID: who.ID, Prefix: who.Prefix}, nil
}

package expr

import (
	"net/netip"
	"reflect"
	"sync"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
	"github.com/discv5/host/sdk/fields"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
)

// record is one node under evaluation: the variables of an expression and the value of "enr". One
// goroutine at a time uses it. Fields are decoded when they are first read.
type record struct {
	node     *enode.Node
	settings *settings

	asNode value[*record] // the value of "node"

	now      time.Time // when the evaluation asked for the time first; zero before
	until    time.Time // when fork() may answer otherwise; zero: never
	forkSays string    // why fork() did not accept; "" if the last one did

	have    uint64 // bit i: slots[i] is filled
	slots   [64]slot
	columns fields.Bitvector // computed custody columns; nil before
}

// slot is a decoded field or why there is none.
type slot struct {
	val ref.Val
	err *missing
}

var records = sync.Pool{New: func() any {
	r := new(record)
	r.asNode = value[*record]{nodeType.typ, r}
	return r
}}

func newRecord(n *enode.Node, s *settings) *record {
	r := records.Get().(*record)
	r.node, r.settings = n, s
	return r
}

// free gives r back; nothing of it may be in use.
func (r *record) free() {
	r.node, r.settings = nil, nil
	r.now, r.until, r.forkSays = time.Time{}, time.Time{}, ""
	for i := 0; r.have != 0; i++ {
		if r.have&1 != 0 {
			r.slots[i] = slot{}
		}
		r.have >>= 1
	}
	r.columns = nil
	records.Put(r)
}

// field returns field i of the record, decoded once.
func (r *record) field(i int) (ref.Val, *missing) {
	s := &r.slots[i]
	if r.have&(1<<i) == 0 {
		s.val, s.err = enrFields[i].load(r.node)
		r.have |= 1 << i
	}
	return s.val, s.err
}

// clock returns the time of this evaluation, one for all that an expression asks.
func (r *record) clock() time.Time {
	if r.now.IsZero() {
		r.now = r.settings.now()
	}
	return r.now
}

// presence is an enr.Entry that is content with any value.
type presence string

// ENRKey returns the key that is looked for.
func (p presence) ENRKey() string { return string(p) }

// has reports whether the record has a key, be its value what it may. Loading into a presence always
// fails; only the error of an absent key counts.
func (r *record) has(key string) bool { return !enr.IsNotFound(r.node.Load(presence(key))) }

// ResolveName returns the variable of that name.
func (r *record) ResolveName(name string) (any, bool) {
	switch name {
	case "enr":
		return r, true
	case "node":
		return &r.asNode, true
	case "ip":
		return addressOr(r.node.IPAddr(), noIP), true
	case "ip4":
		return variable(r.field(fieldIP4))("ip4"), true
	case "ip6":
		return variable(r.field(fieldIP6))("ip6"), true
	case "udp":
		return portOr(r.node.UDP(), noUDP), true
	case "tcp":
		return portOr(r.node.TCP(), noTCP), true
	}
	return nil, false
}

// Parent returns nil: there are no other variables.
func (r *record) Parent() interpreter.Activation { return nil }

var (
	noIP  = absent("ip")
	noUDP = absent("udp")
	noTCP = absent("tcp")
)

func addressOr(a netip.Addr, gone *missing) ref.Val {
	if !a.IsValid() {
		return types.WrapErr(gone)
	}
	return &value[netip.Addr]{ipType.typ, a}
}

func portOr(port int, gone *missing) ref.Val {
	if port == 0 {
		return types.WrapErr(gone)
	}
	return types.Int(port)
}

// variable is a field under the name of a variable. The error is a new one each time: CEL writes
// into it.
func variable(v ref.Val, gone *missing) func(name string) ref.Val {
	return func(name string) ref.Val {
		switch {
		case gone == nil:
			return v
		case gone.err == nil:
			return types.WrapErr(absent(name))
		}
		return types.WrapErr(damaged(name, gone.err))
	}
}

// ConvertToNative fails: values do not leave an expression.
func (r *record) ConvertToNative(reflect.Type) (any, error) { return nil, errOpaque }

// ConvertToType fails, but for the type itself.
func (r *record) ConvertToType(t ref.Type) ref.Val {
	if t == types.TypeType {
		return enrType.typ
	}
	return types.WrapErr(errOpaque)
}

// Equal reports whether both are the same record.
func (r *record) Equal(other ref.Val) ref.Val { return types.Bool(other == ref.Val(r)) }

// Type returns the type of "enr".
func (r *record) Type() ref.Type { return enrType.typ }

// Value returns r, which is what the getters of members take.
func (r *record) Value() any { return r }

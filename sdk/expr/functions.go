package expr

import (
	"net/netip"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// Names of the language's own functions. nameIn is how "in" reaches the parser, for which that
// is an operator; see source.go.
const (
	nameIn       = "i_"
	nameHas      = "has"
	nameAny      = "any"
	nameEvery    = "every"
	nameAtLeast  = "at_least"
	nameCustody  = "custodies"
	nameFork     = "fork"
	nameAccepts  = "accepts"
	namePrepared = "prepared"
)

// function documents one function for doc.go and the reference.
type function struct {
	use, doc string
}

// functionDocs lists what functions returns, for the reference.
var functionDocs = []function{
	{`has("key")`, "the record has a field of that name; short for enr.has"},
	{`enr.has("key")`, "the record has a field of that name, decodable or not"},
	{`has(enr.eth2)`, "the record has the field, and it can be decoded"},
	{`enr.custodies(5)`, "the node custodies a data column, by node id and cgc"},
	{`ip.in("10.0.0.0/8")`, "the address is in a network; also of a list of networks"},
	{`enr.attnets.has(3)`, "a number is among Bits"},
	{`enr.attnets.any([3, 4])`, "at least one of the numbers is among Bits"},
	{`enr.attnets.every([3, 4])`, "all of the numbers are among Bits"},
	{`enr.attnets.at_least(2, [3, 4, 5])`, "as many of the numbers are among Bits"},
	{`fork("mainnet").accepts(enr)`, "eth2 or eth say that the node is on the network now"},
	{`fork("mainnet").prepared(enr)`, "the record announces the network's next fork as the schedule has it"},
}

// functions are the language's own functions. Those of which the argument is nearly always written
// in the expression are made faster in constants.go.
func functions() []cel.EnvOption {
	enrT, ipT, bitsT, forkT := enrType.typ, ipType.typ, bitsType.typ, forkType.typ
	intsT := cel.ListType(cel.IntType)
	return []cel.EnvOption{
		cel.Function(nameHas,
			cel.MemberOverload("enr_has", []*cel.Type{enrT, cel.StringType}, cel.BoolType, cel.BinaryBinding(hasKey)),
			cel.MemberOverload("bits_has", []*cel.Type{bitsT, cel.IntType}, cel.BoolType, cel.BinaryBinding(hasNumber))),
		cel.Function(nameCustody,
			cel.MemberOverload("enr_custodies", []*cel.Type{enrT, cel.IntType}, cel.BoolType, cel.BinaryBinding(custodies))),
		cel.Function(nameIn,
			cel.MemberOverload("ip_in", []*cel.Type{ipT, cel.StringType}, cel.BoolType, cel.BinaryBinding(inNetwork)),
			cel.MemberOverload("ip_in_list", []*cel.Type{ipT, cel.ListType(cel.StringType)}, cel.BoolType, cel.BinaryBinding(inNetwork))),
		cel.Function(nameAny, cel.MemberOverload("bits_any", []*cel.Type{bitsT, intsT}, cel.BoolType, cel.BinaryBinding(ask(anyOf)))),
		cel.Function(nameEvery, cel.MemberOverload("bits_every", []*cel.Type{bitsT, intsT}, cel.BoolType, cel.BinaryBinding(ask(everyOf)))),
		cel.Function(nameAtLeast,
			cel.MemberOverload("bits_at_least", []*cel.Type{bitsT, cel.IntType, intsT}, cel.BoolType, cel.FunctionBinding(atLeast))),
		cel.Function(nameFork, cel.Overload("fork", []*cel.Type{cel.StringType}, forkT)), // bound by each Program
		cel.Function(nameAccepts, cel.MemberOverload("fork_accepts", []*cel.Type{forkT, enrT}, cel.BoolType, cel.BinaryBinding(forkAccepts))),
		cel.Function(namePrepared, cel.MemberOverload("fork_prepared", []*cel.Type{forkT, enrT}, cel.BoolType, cel.BinaryBinding(forkPrepared))),
	}
}

// wrong is for arguments that the type checker lets nobody pass.
func wrong() ref.Val { return types.WrapErr(errOpaque) }

func hasKey(target, arg ref.Val) ref.Val {
	r, ok := target.(*record)
	key, ok2 := arg.(types.String)
	if !ok || !ok2 {
		return wrong()
	}
	return types.Bool(r.has(string(key)))
}

func hasNumber(target, arg ref.Val) ref.Val {
	s, ok := target.(*value[set])
	n, ok2 := arg.(types.Int)
	if !ok || !ok2 {
		return wrong()
	}
	return types.Bool(s.v.has(int64(n)))
}

func custodies(target, arg ref.Val) ref.Val {
	r, ok := target.(*record)
	n, ok2 := arg.(types.Int)
	if !ok || !ok2 {
		return wrong()
	}
	columns, err := r.custodyColumns()
	if err != nil {
		return types.WrapErr(err)
	}
	return types.Bool(set{bits: columns}.has(int64(n)))
}

// ask binds a question to a function of a set and a list.
func ask(q question) func(target, arg ref.Val) ref.Val {
	return func(target, arg ref.Val) ref.Val {
		s, ok := target.(*value[set])
		numbers, ok2 := numbersOf(arg)
		if !ok || !ok2 {
			return wrong()
		}
		return types.Bool(q(s.v, numbers))
	}
}

func atLeast(args ...ref.Val) ref.Val {
	if len(args) != 3 {
		return wrong()
	}
	s, ok := args[0].(*value[set])
	n, ok2 := args[1].(types.Int)
	numbers, ok3 := numbersOf(args[2])
	if !ok || !ok2 || !ok3 {
		return wrong()
	}
	return types.Bool(n <= 0 || n <= types.Int(len(numbers)) && types.Int(s.v.among(numbers, int(n))) >= n)
}

func inNetwork(target, arg ref.Val) ref.Val {
	a, ok := target.(*value[netip.Addr])
	if !ok {
		return wrong()
	}
	networks, err := networksOf(arg)
	if err != nil {
		return types.WrapErr(err)
	}
	return types.Bool(networks.contains(a.v))
}

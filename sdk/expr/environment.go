package expr

import (
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/parser"
)

// variable names of an expression, by their type.
type variableDoc struct {
	name string
	typ  *types.Type
	doc  string
}

var variables = []variableDoc{
	{"enr", enrType.typ, "the record"},
	{"node", nodeType.typ, "the node"},
	{"ip", ipType.typ, "the address that discovery uses: the IPv4 one if both are equally good"},
	{"ip4", ipType.typ, "the record's IPv4 address"},
	{"ip6", ipType.typ, "the record's IPv6 address"},
	{"udp", types.IntType, "the UDP port that belongs to ip"},
	{"tcp", types.IntType, "the TCP port that belongs to ip"},
}

// objects are the types of the language that have members or functions.
var objects = []*object{enrType, nodeType, ipType, eth2Type, forkIDType, clientType, opstackType, portalType, waku2Type, bitsType, shardsType, forkType}

// Bounds of an expression.
const (
	maxLength  = 4096 // of the text, in bytes
	maxDepth   = 50   // of parentheses and the like
	maxLoops   = 2    // of loops in loops
	maxMacros  = 20   // loops in all
	maxNodes   = 2000 // parts, after macros
	maxPattern = 2000 // instructions of all regular expressions; each has at most 256 bytes

	// In the units of CEL, about one for each step. The estimate is of a record that is as bad as can be in all respects at
	// once, which none is; what an evaluation really takes is held to less.
	maxEstimate = 200_000
	maxCost     = 20_000
)

// standard are the functions of CEL that there are. Times, types and dynamic values have no use
// in records.
var standard = []string{
	operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot, operators.NotStrictlyFalse, operators.Conditional,
	operators.Equals, operators.NotEquals, operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals,
	operators.Add, operators.Subtract, operators.Multiply, operators.Divide, operators.Modulo, operators.Negate,
	operators.In, operators.Index,
	"size", "contains", "startsWith", "endsWith", "matches", "int", "string",
}

// hasMacro makes enr.has of has("key"), and is the macro of CEL otherwise.
var hasMacro = cel.GlobalMacro(operators.Has, 1, func(eh cel.MacroExprFactory, target ast.Expr, args []ast.Expr) (ast.Expr, *cel.Error) {
	if args[0].Kind() == ast.LiteralKind {
		return eh.NewMemberCall(nameHas, eh.NewIdent("enr"), args[0]), nil
	}
	return parser.MakeHas(eh, target, args)
})

var environment = sync.OnceValues(func() (*cel.Env, error) {
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	only := make([]*env.Function, len(standard))
	for i, name := range standard {
		only[i] = &env.Function{Name: name}
	}
	options := []cel.EnvOption{
		cel.CustomTypeProvider(&provider{registry, objectIndex()}),
		cel.StdLib(cel.StdLibSubset(&env.LibrarySubset{DisableMacros: true, IncludeFunctions: only})),
		cel.Macros(hasMacro, cel.AllMacro, cel.ExistsMacro, cel.ExistsOneMacro, cel.FilterMacro, cel.MapMacro, cel.MapFilterMacro),
		cel.HomogeneousAggregateLiterals(),
		cel.EnableMacroCallTracking(),
		cel.ParserExpressionSizeLimit(maxLength),
		cel.ParserRecursionLimit(maxDepth),
		cel.ExpressionNestingDepthLimit(4 * maxDepth),
		cel.ExpressionNodeLimit(maxNodes),
		cel.ASTValidators(cel.ValidateComprehensionNestingLimit(maxLoops)),
	}
	for _, v := range variables {
		options = append(options, cel.Variable(v.name, v.typ))
	}
	return cel.NewCustomEnv(append(options, functions()...)...)
})

// provider adds the language's objects to the types of CEL.
type provider struct {
	types.Provider
	objects map[string]*object
}

func objectIndex() map[string]*object {
	out := make(map[string]*object, len(objects))
	for _, o := range objects {
		out[o.typ.TypeName()] = o
	}
	return out
}

// FindStructType returns the type of an object.
func (p *provider) FindStructType(name string) (*types.Type, bool) {
	if o, ok := p.objects[name]; ok {
		return types.NewTypeTypeWithParam(o.typ), true
	}
	return p.Provider.FindStructType(name)
}

// FindStructFieldNames returns the members of an object.
func (p *provider) FindStructFieldNames(name string) ([]string, bool) {
	o, ok := p.objects[name]
	if !ok {
		return p.Provider.FindStructFieldNames(name)
	}
	out := make([]string, len(o.members))
	for i, m := range o.members {
		out[i] = m.name
	}
	return out, true
}

// FindStructFieldType returns a member of an object.
func (p *provider) FindStructFieldType(name, member string) (*types.FieldType, bool) {
	o, ok := p.objects[name]
	if !ok {
		return p.Provider.FindStructFieldType(name, member)
	}
	t, ok := o.index[member]
	return t, ok
}

// nearest returns the candidate that s may have been meant to be, or "".
func nearest(s string, candidates []string) string {
	best, dist := "", max(1, len(s)/3)
	for _, c := range slices.Sorted(slices.Values(candidates)) {
		if d := distance(strings.ToLower(s), c); d <= dist && d < max(len(c), 2) {
			best, dist = c, d-1
		}
	}
	return best
}

// distance counts the insertions, deletions and changes of one byte that make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			before, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, before+cost)
		}
	}
	return row[len(b)]
}

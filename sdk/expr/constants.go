package expr

import (
	"net/netip"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
)

// known is a function of a value whose other arguments were read when the program was made.
type known struct {
	id     int64
	target interpreter.InterpretableV2
	ask    func(target ref.Val) ref.Val
}

// ID returns the place in the expression.
func (k *known) ID() int64 { return k.id }

// Exec computes the function.
func (k *known) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	v := k.target.Exec(frame)
	if types.IsUnknownOrError(v) {
		return v
	}
	return k.ask(v)
}

// Eval computes the function.
func (k *known) Eval(vars interpreter.Activation) ref.Val { return k.Exec(interpreter.AsFrame(vars)) }

// constants replaces calls with arguments that do not change.
func (s *settings) constants(i interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	call, ok := i.(interpreter.InterpretableCall)
	if !ok {
		return i, nil
	}
	args := call.Args()
	var consts []ref.Val
	for _, a := range args[min(1, len(args)):] {
		c, ok := a.(interpreter.InterpretableConst)
		if !ok {
			return i, nil
		}
		consts = append(consts, c.Value())
	}
	switch name := call.Function(); {
	case name == nameFork && len(args) == 1:
		return s.constantFork(i, args[0])
	case len(consts) == 0:
	case name == nameIn && call.OverloadID() != "":
		networks, err := networksOf(consts[0])
		if err != nil {
			return i, nil // checked before; said again at evaluation
		}
		return &known{i.ID(), args[0], func(v ref.Val) ref.Val {
			a, ok := v.(*value[netip.Addr])
			if !ok {
				return wrong()
			}
			return types.Bool(networks.contains(a.v))
		}}, nil
	case name == nameAny:
		return knownNumbers(i, args[0], consts[0], anyOf)
	case name == nameEvery:
		return knownNumbers(i, args[0], consts[0], everyOf)
	}
	return i, nil
}

func knownNumbers(i, target interpreter.InterpretableV2, list ref.Val, q question) (interpreter.InterpretableV2, error) {
	numbers, ok := numbersOf(list)
	if !ok {
		return i, nil
	}
	return &known{i.ID(), target, func(v ref.Val) ref.Val {
		s, ok := v.(*value[set])
		if !ok {
			return wrong()
		}
		return types.Bool(q(s.v, numbers))
	}}, nil
}

// constantFork looks the network up once; lint has refused names that there are not.
func (s *settings) constantFork(i, arg interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	c, ok := arg.(interpreter.InterpretableConst)
	if !ok {
		return i, nil
	}
	name, _ := c.Value().(types.String)
	n, ok := s.schedules.Network(string(name))
	if !ok {
		return i, nil
	}
	return interpreter.NewConstValue(i.ID(), newFork(n)), nil
}

package expr

import (
	"errors"
	"math"
	"reflect"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

var errOpaque = errors.New("a value of the record has no Go type")

// value is what an expression handles where a field is more than a number, a truth or text.
type value[T any] struct {
	typ *types.Type
	v   T
}

// ConvertToNative fails: values do not leave an expression.
func (v *value[T]) ConvertToNative(reflect.Type) (any, error) { return nil, errOpaque }

// ConvertToType fails, but for the type itself.
func (v *value[T]) ConvertToType(t ref.Type) ref.Val {
	if t == types.TypeType {
		return v.typ
	}
	return types.WrapErr(errOpaque)
}

// Equal compares what two values hold.
func (v *value[T]) Equal(other ref.Val) ref.Val {
	o, same := other.(*value[T])
	return types.Bool(same && reflect.DeepEqual(v.v, o.v))
}

// Type returns the value's type in the language.
func (v *value[T]) Type() ref.Type { return v.typ }

// Value returns v, which is what the getters of members take.
func (v *value[T]) Value() any { return v }

// object is a type of the language with named members.
type object struct {
	typ     *types.Type
	members []*member
	index   map[string]*types.FieldType
}

// member is one name after a dot.
type member struct {
	name string
	typ  *types.Type
	doc  string
	size uint64 // of text, bytes and lists: the largest there is
	get  func(of any) (any, error)
	set  func(of any) bool
}

func newObject(name string, members ...*member) *object {
	o := &object{typ: types.NewObjectType(name), members: members, index: make(map[string]*types.FieldType, len(members))}
	for _, m := range members {
		o.index[m.name] = &types.FieldType{Type: m.typ, GetFrom: m.get, IsSet: m.set}
	}
	return o
}

// part is a member of a value that is always there when the value is.
func part[T any](name string, typ *types.Type, doc string, size uint64, get func(v T) any) *member {
	return &member{
		name: name, typ: typ, doc: doc, size: size,
		get: func(of any) (any, error) {
			v, ok := of.(*value[T])
			if !ok {
				return nil, errOpaque
			}
			return get(v.v), nil
		},
		set: func(of any) bool { _, ok := of.(*value[T]); return ok },
	}
}

// number reads any count as an int of the language, which is at most 2^63-1.
func number[T ~uint8 | ~uint16 | ~uint64 | ~int](n T) types.Int {
	if i := types.Int(n); i >= 0 {
		return i
	}
	return types.Int(math.MaxInt64)
}

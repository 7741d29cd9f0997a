package sdk

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"time"
)

// decodeConfig fills the struct that config points to from a JSON object, and calls its method Validate if it has one. What is left
// out stays as it is. The error says everything that is wrong, by the names of the attributes.
func decodeConfig(text []byte, config any) error {
	if len(text) == 0 {
		text = []byte("{}")
	}
	var object map[string]json.RawMessage
	if err := strictJSON(text, &object); err != nil {
		return fmt.Errorf("the configuration is not a JSON object: %w", err)
	}
	if config == nil {
		if len(object) > 0 {
			return fmt.Errorf("unknown attribute %q: this plugin has no configuration", slices.Min(slices.Collect(maps.Keys(object))))
		}
		return nil
	}
	if errs := decodeStruct(object, reflect.ValueOf(config).Elem(), ""); len(errs) > 0 {
		return errors.Join(errs...)
	}
	if v, ok := config.(interface{ Validate() error }); ok {
		return v.Validate()
	}
	return nil
}

func strictJSON(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the value")
	}
	return nil
}

func decodeStruct(object map[string]json.RawMessage, v reflect.Value, path string) []error {
	fields, errs := configFields(v.Type(), path)
	known := make(map[string]bool, len(fields))
	for _, f := range fields {
		known[f.name] = true
		text, given := object[f.name]
		given = given && !bytes.Equal(bytes.TrimSpace(text), []byte("null"))
		switch fv := v.Field(f.index); {
		case f.block:
			errs = append(errs, decodeBlock(text, given, fv, path+f.name)...)
		case given:
			if err := decodeValue(text, fv); err != nil {
				errs = append(errs, fmt.Errorf("attribute %q: %w", path+f.name, err))
			}
		case !f.optional:
			errs = append(errs, fmt.Errorf("attribute %q is missing", path+f.name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if !known[name] {
			errs = append(errs, fmt.Errorf("unknown attribute %q", path+name))
		}
	}
	return errs
}

func decodeBlock(text json.RawMessage, given bool, v reflect.Value, path string) []error {
	repeated := v.Kind() == reflect.Slice
	if !given && (repeated || v.Kind() == reflect.Pointer) {
		return nil
	}
	var parts []map[string]json.RawMessage
	var err error
	switch {
	case !given: // a struct, which is complete without it unless something in it is required
		parts = make([]map[string]json.RawMessage, 1)
	case repeated:
		err = strictJSON(text, &parts)
	default:
		parts = make([]map[string]json.RawMessage, 1)
		err = strictJSON(text, &parts[0])
	}
	if err != nil {
		want := "an object"
		if repeated {
			want = "a list of objects"
		}
		return []error{fmt.Errorf("block %q: want %s", path, want)}
	}
	if !repeated {
		return decodeStruct(parts[0], target(v), path+".")
	}
	var errs []error
	list := reflect.MakeSlice(v.Type(), len(parts), len(parts))
	for i, part := range parts {
		errs = append(errs, decodeStruct(part, target(list.Index(i)), fmt.Sprintf("%s[%d].", path, i))...)
	}
	v.Set(list)
	return errs
}

// target is the struct that v is or points to; it is made if the pointer is nil.
func target(v reflect.Value) reflect.Value {
	if v.Kind() != reflect.Pointer {
		return v
	}
	if v.IsNil() {
		v.Set(reflect.New(v.Type().Elem()))
	}
	return v.Elem()
}

func decodeValue(text json.RawMessage, v reflect.Value) error {
	if v.Type() == durationType {
		var s string
		if strictJSON(text, &s) != nil {
			return fmt.Errorf(`want a duration like "300ms", have %s`, brief(text))
		}
		d, err := time.ParseDuration(s)
		if err != nil {
			return fmt.Errorf(`want a duration like "300ms", have %s`, brief(text))
		}
		v.SetInt(int64(d))
		return nil
	}
	switch v.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		lowest, highest := int64(math.MinInt64)>>(64-v.Type().Bits()), int64(math.MaxInt64)>>(64-v.Type().Bits())
		n, err := strconv.ParseInt(number(text), 10, v.Type().Bits())
		if err != nil {
			return numberError(err, text, lowest, highest)
		}
		v.SetInt(n)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, err := strconv.ParseUint(number(text), 10, v.Type().Bits())
		if err != nil {
			return numberError(err, text, 0, uint64(math.MaxUint64)>>(64-v.Type().Bits()))
		}
		v.SetUint(n)
	case reflect.Float32, reflect.Float64:
		f, err := strconv.ParseFloat(number(text), v.Type().Bits())
		if err != nil {
			return fmt.Errorf("want a number, have %s", brief(text))
		}
		v.SetFloat(f)
	default:
		want := map[reflect.Kind]string{reflect.String: "a string", reflect.Bool: "true or false", reflect.Slice: "a list of strings", reflect.Map: "a map of strings"}
		fresh := reflect.New(v.Type()) // so that maps are replaced and not added to
		if strictJSON(text, fresh.Interface()) != nil {
			return fmt.Errorf("want %s, have %s", want[v.Kind()], brief(text))
		}
		v.Set(fresh.Elem())
	}
	return nil
}

// number returns the text of a JSON number, with a whole one written without exponent; "" if it is none.
func number(text json.RawMessage) string {
	var n json.Number
	if len(text) == 0 || text[0] == '"' || strictJSON(text, &n) != nil {
		return ""
	}
	return n.String()
}

func numberError[T int64 | uint64](err error, text json.RawMessage, lowest, highest T) error {
	if errors.Is(err, strconv.ErrRange) || (len(text) > 1 && text[0] == '-' && lowest == 0 && number(text) != "") {
		return fmt.Errorf("%s is out of range: %d to %d", brief(text), lowest, highest)
	}
	return fmt.Errorf("want a whole number, have %s", brief(text))
}

// brief is a value for an error message.
func brief(text json.RawMessage) string {
	if len(text) > 40 {
		return string(bytes.ToValidUTF8(text[:40], nil)) + "…"
	}
	return string(text)
}

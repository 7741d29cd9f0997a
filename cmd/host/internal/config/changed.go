package config

import (
	"reflect"
	"strings"
)

// Changed returns the keys whose values differ in another configuration, blocks joined by a dot, in the order of the struct.
func (c *Config) Changed(other *Config) (keys []string) {
	return changed("", reflect.ValueOf(c).Elem(), reflect.ValueOf(other).Elem())
}

func changed(path string, a, b reflect.Value) (keys []string) {
	for i := range a.NumField() {
		name, option, _ := strings.Cut(a.Type().Field(i).Tag.Get("hcl"), ",")
		switch {
		case option == "block":
			keys = append(keys, changed(join(path, name), a.Field(i), b.Field(i))...)
		case !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()):
			keys = append(keys, join(path, name))
		}
	}
	return keys
}

package config

import (
	"reflect"
	"strings"
	"testing"
)

func TestMarshalReadsBack(t *testing.T) {
	p := &parser{file: "/etc/config.hcl", schema: top}
	values := map[string]any{
		"listen": []any{"0.0.0.0:9000"}, "data_dir": "/a \"b\" \\ ${c} %{d} $5 \n\té", "auto_update": false, "session_cache": int64(64),
		"bootnodes": []any{}, "table": map[string]any{"ipv4_prefix": int64(32)},
	}
	text, err := p.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Unmarshal(text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if !reflect.DeepEqual(got, values) {
		t.Errorf("read back %v, want %v", got, values)
	}
	for _, bad := range []map[string]any{{"nat": 3.5}, {"colour": "red"}, {"listen": []any{struct{}{}}}, {"table": map[string]any{"x": int64(1)}}} {
		if _, err := p.Marshal(bad); err == nil {
			t.Errorf("Marshal(%v) was accepted", bad)
		}
	}
}

// No input panics; every mistake has a place; what is accepted can be written and read back.
func FuzzParser(f *testing.F) {
	f.Add("listen = [\"0.0.0.0:9000\"]\ntable {\n ipv4_prefix = 3\n}\n")
	f.Add("plugin \"talk\" \"b\" {\n source = \"builtin:b\"\n env = {a = \"b\"}\n config {\n a = [1]\n}\n}\n")
	f.Add("plugin \"a\" \"b\" {}\nnat = \"${x}\"\n")
	f.Add("listen = [for x in [1]: x]")
	f.Fuzz(func(t *testing.T, text string) {
		p := &parser{file: "/f.hcl", schema: top}
		values, err := p.Unmarshal([]byte(text))
		for _, plugin := range p.plugins { // also the good ones of a file with mistakes
			_, _, _ = DecodeBody(plugin.Config, Schema{Attributes: []Attribute{{Name: "a", Type: StringList}, {Name: "b", Type: Int}}})
		}
		if err != nil {
			for _, problem := range err.(Problems) {
				if !strings.HasPrefix(problem.Where, "/f.hcl:") || problem.What == "" {
					t.Fatalf("%+v", problem)
				}
			}
			return
		}
		again, err := p.Marshal(values)
		if err != nil {
			t.Fatal(err)
		}
		back, err := p.Unmarshal(again)
		if err != nil || !reflect.DeepEqual(back, values) {
			t.Fatalf("%v\n%v became %v through\n%s", err, values, back, again)
		}
	})
}

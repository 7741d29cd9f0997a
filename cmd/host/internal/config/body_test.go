package config

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

var example = Schema{
	Attributes: []Attribute{
		{Name: "name", Type: String, Required: true, Doc: "what it is called"},
		{Name: "count", Type: Int, Default: "3"}, {Name: "ratio", Type: Float}, {Name: "on", Type: Bool}, {Name: "pause", Type: Duration},
		{Name: "words", Type: StringList}, {Name: "labels", Type: StringMap}, {Name: "password", Type: String, Secret: true},
		{Name: "depth", Type: Int, Required: true},
	},
	Blocks: []Block{
		{Name: "peer", Repeated: true, Schema: Schema{Attributes: []Attribute{{Name: "address", Type: String, Required: true}}}},
		{Name: "cache", Schema: Schema{Attributes: []Attribute{{Name: "size", Type: Int}}}},
		{Name: "limits", Required: true, Doc: "what it may take", Schema: Schema{Attributes: []Attribute{{Name: "rate", Type: Float}}}},
	},
}

func TestDecodeBody(t *testing.T) {
	got, err := load(t, `
plugin "talk" "a" {
  source = "builtin:a"
  config {
    name     = "x"
    depth    = -9223372036854775808
    ratio    = 0.5
    on       = true
    pause    = "1h30m"
    words    = ["a", env("WORD")]
    labels   = { a = "b", "c d" = "" }
    password = env("WORD")
    peer {
      address = "1"
    }
    peer {
      address = "2"
    }
    limits {
    }
  }
}
`, []string{"WORD=<w>"})
	if err != nil {
		t.Fatal(err)
	}
	values, object, err := DecodeBody(got.Plugins[0].Config, example)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"name": "x", "depth": int64(-1 << 63), "ratio": 0.5, "on": true, "pause": "1h30m", "words": []string{"a", "<w>"},
		"labels": map[string]string{"a": "b", "c d": ""}, "password": "<w>",
		"peer":   []any{map[string]any{"address": "1"}, map[string]any{"address": "2"}},
		"limits": map[string]any{},
	}
	if !reflect.DeepEqual(values, want) {
		t.Errorf("got  %#v\nwant %#v", values, want)
	}
	const text = `{"depth":-9223372036854775808,"labels":{"a":"b","c d":""},"limits":{},"name":"x","on":true,"password":"\u003cw\u003e",` +
		`"pause":"1h30m","peer":[{"address":"1"},{"address":"2"}],"ratio":0.5,"words":["a","\u003cw\u003e"]}`
	if string(object) != text {
		t.Errorf("got  %s\nwant %s", object, text)
	}
}

func TestDecodeBodyMistakes(t *testing.T) {
	const file = "testdata/schema/mistakes.hcl"
	got, err := Load(t.Context(), Sources{Env: []string{"HOST_CONFIG=" + file, "SET=hunter2"}})
	if err != nil {
		t.Fatal(err)
	}
	values, object, err := DecodeBody(got.Plugins[0].Config, example)
	ps, ok := errors.AsType[Problems](err)
	if !ok || values != nil || object != nil {
		t.Fatalf("%v, %s, %v, want problems alone", values, object, err)
	}
	golden(t, file, shown(ps, "testdata/schema"))
}

// A body that came from elsewhere has places too, and no functions.
func TestDecodeOtherBodies(t *testing.T) {
	f, diags := hclsyntax.ParseConfig([]byte("a = 1\nb = env(\"HOME\")\n"), "other.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	_, _, err := DecodeBody(f.Body, Schema{Attributes: []Attribute{{Name: "a", Type: String}, {Name: "b", Type: String}, {Name: "c", Type: Bool, Required: true}}})
	for _, want := range []string{"other.hcl:1:5: wrong type of a", "other.hcl:2:5: no functions can be called here", "c is missing"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
	if values, object, err := DecodeBody(nil, Schema{}); err != nil || len(values) != 0 || string(object) != "{}" {
		t.Errorf("no body: %v, %s, %v", values, object, err)
	}
	if _, _, err := DecodeBody(nil, Schema{Attributes: []Attribute{{Name: "a", Type: String, Required: true}}}); err == nil {
		t.Error("no body has a required key")
	}
	if _, _, err := DecodeBody(hcl.EmptyBody(), Schema{}); err == nil {
		t.Error("a body of another parser was accepted")
	}
}

func TestSchemaValidate(t *testing.T) {
	if err := example.Validate(); err != nil {
		t.Error(err)
	}
	for _, kind := range kinds {
		if err := pluginSchema(kind).Validate(); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
	deep := Schema{}
	for range maxSchemaDepth {
		deep = Schema{Blocks: []Block{{Name: "b", Schema: deep}}}
	}
	many := Schema{}
	for range maxSchemaNames + 1 {
		many.Attributes = append(many.Attributes, Attribute{Name: "a", Type: String})
	}
	for want, s := range map[string]Schema{
		"is not a name":              {Attributes: []Attribute{{Name: "a b", Type: String}}},
		"appears twice":              {Attributes: []Attribute{{Name: "a", Type: String}}, Blocks: []Block{{Name: "a"}}},
		"unknown type 0":             {Attributes: []Attribute{{Name: "a"}}},
		`default of "b.a" is not JS`: {Blocks: []Block{{Name: "b", Schema: Schema{Attributes: []Attribute{{Name: "a", Type: Int, Default: "3;"}}}}}},
		"blocks deep":                deep,
		"more than 256 names":        many,
	} {
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

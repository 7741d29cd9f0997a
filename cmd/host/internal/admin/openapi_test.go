package admin

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write openapi.json anew")

type object = map[string]any

// schemaOf describes the JSON of a type.
func schemaOf(t reflect.Type, named object) object {
	switch t {
	case reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case reflect.TypeFor[netip.AddrPort](), reflect.TypeFor[netip.Addr](), reflect.TypeFor[netip.Prefix]():
		return object{"type": "string", "description": map[string]string{"AddrPort": "an address with a port", "Addr": "an address", "Prefix": "a range of addresses"}[t.Name()]}
	}
	if t == reflect.TypeFor[ErrorData]() {
		return object{"description": "an object of reason, a word for programs, and hint; of a plugin's method, whatever the plugin says"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem(), named)
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.Int, reflect.Int64, reflect.Uint64, reflect.Uint16:
		return object{"type": "integer"}
	case reflect.Slice:
		return object{"type": "array", "items": schemaOf(t.Elem(), named)}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": schemaOf(t.Elem(), named)}
	case reflect.Struct:
		if _, done := named[t.Name()]; !done {
			named[t.Name()] = nil
			properties, needed := object{}, []string{}
			for i := range t.NumField() {
				name, options, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
				properties[name] = schemaOf(t.Field(i).Type, named)
				if options == "" {
					needed = append(needed, name)
				}
			}
			named[t.Name()] = object{"type": "object", "required": needed, "properties": properties, "additionalProperties": false}
		}
		return object{"$ref": "#/components/schemas/" + t.Name()}
	}
	panic(fmt.Sprintf("no schema for %v", t))
}

func document() object {
	schemas, paths := object{}, object{}
	problem := object{"description": "an error", "content": object{"application/json": object{"schema": schemaOf(reflect.TypeFor[ErrorView](), schemas)}}}
	for _, r := range routes {
		content := object{r.media: object{}}
		if r.shows != nil {
			content = object{"application/json": object{"schema": schemaOf(reflect.TypeOf(r.shows), schemas)}}
		}
		if r.path == eventsPath {
			content = object{r.media: object{"schema": object{"type": "string", "description": "each data line is an Event"}}}
			schemaOf(reflect.TypeFor[Event](), schemas)
		}
		responses := object{"200": object{"description": "as asked", "content": content}, "default": problem}
		if r.path == healthPath || r.path == readyPath {
			responses["503"] = object{"description": "no", "content": content}
		}
		parameters := []any{}
		for _, q := range r.query {
			parameters = append(parameters, object{"name": q.name, "in": "query", "description": q.summary, "schema": object{"type": q.kind}})
		}
		get := object{"summary": r.summary, "operationId": operation(r.path), "parameters": parameters, "responses": responses}
		if r.path == healthPath || r.path == readyPath {
			get["security"] = []any{object{}, object{"token": []any{}}}
		}
		paths[r.path] = object{"get": get}
	}
	schemaOf(reflect.TypeFor[Error](), schemas)
	rpc := object{"type": "object", "required": []string{"method"}, "properties": object{
		"jsonrpc": object{"const": "2.0"}, "id": object{"type": []string{"string", "number", "null"}},
		"method": object{"type": "string", "description": "or a method of a plugin, see host_methods", "examples": MethodNames()}, "params": object{"type": []string{"array", "object"}},
	}}
	reply := object{"type": "object", "required": []string{"jsonrpc", "id"}, "properties": object{
		"jsonrpc": object{"const": "2.0"}, "id": object{"type": []string{"string", "number", "null"}},
		"result": object{}, "error": object{"$ref": "#/components/schemas/Error"},
	}}
	for _, p := range rpcPaths {
		item, _ := paths[p].(object)
		if item == nil {
			item = object{}
		}
		item["post"] = object{
			"summary": "JSON-RPC 2.0: every action, one call or a batch", "operationId": "call" + operation(p),
			"requestBody": object{"required": true, "content": object{"application/json": object{"schema": object{"oneOf": []any{rpc, object{"type": "array", "items": rpc, "maxItems": maxBatch}}}}}},
			"responses": object{
				"200":     object{"description": "the answers", "content": object{"application/json": object{"schema": object{"oneOf": []any{reply, object{"type": "array", "items": reply}}}}}},
				"204":     object{"description": "there were only notifications"},
				"default": problem,
			},
		}
		paths[p] = item
	}
	return object{
		"openapi": "3.1.0",
		"info": object{
			"title": "host admin API", "version": "1",
			"description": "GET reads. Every action is a JSON-RPC method, see host_methods. On the unix socket no token is asked for.",
		},
		"paths":    paths,
		"security": []any{object{"token": []any{}}},
		"components": object{
			"schemas":         schemas,
			"securitySchemes": object{"token": object{"type": "http", "scheme": "bearer", "description": "over TCP"}},
		},
	}
}

func operation(path string) string {
	return strings.ReplaceAll(strings.Trim(strings.TrimSuffix(path, ".json"), "/"), "/", "_")
}

func TestOpenAPI(t *testing.T) {
	want, err := json.MarshalIndent(document(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.WriteFile("openapi.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(want) != string(OpenAPI()) {
		t.Error("openapi.json does not describe the routes and documents; go test -run TestOpenAPI -update writes it anew")
	}
}

// validate holds a value against a schema of the document, and returns what is wrong.
func validate(doc object, schema object, v any, at string) (problems []string) {
	bad := func(format string, args ...any) {
		problems = append(problems, at+": "+fmt.Sprintf(format, args...))
	}
	if ref, ok := schema["$ref"].(string); ok {
		name := ref[strings.LastIndex(ref, "/")+1:]
		named, ok := doc["components"].(object)["schemas"].(object)[name].(object)
		if !ok {
			return []string{at + ": no schema " + name}
		}
		return validate(doc, named, v, at)
	}
	switch schema["type"] {
	case "string":
		text, ok := v.(string)
		if !ok {
			bad("%v is no text", v)
		} else if _, err := time.Parse(time.RFC3339, text); schema["format"] == "date-time" && err != nil {
			bad("%v", err)
		}
	case "boolean":
		if _, ok := v.(bool); !ok {
			bad("%v is neither true nor false", v)
		}
	case "number", "integer":
		if f, ok := v.(float64); !ok || schema["type"] == "integer" && f != float64(int64(f)) {
			bad("%v is no %v", v, schema["type"])
		}
	case "array":
		all, ok := v.([]any)
		if !ok {
			bad("%v is no list", v)
		}
		for i, x := range all {
			problems = append(problems, validate(doc, schema["items"].(object), x, fmt.Sprintf("%s[%d]", at, i))...)
		}
	case "object":
		all, ok := v.(object)
		if !ok {
			bad("%v is no object", v)
			return problems
		}
		needed, _ := schema["required"].([]any)
		for _, name := range needed {
			if _, ok := all[name.(string)]; !ok {
				bad("%v is missing", name)
			}
		}
		properties, _ := schema["properties"].(object)
		for name, x := range all {
			property, ok := properties[name].(object)
			if !ok {
				if property, ok = schema["additionalProperties"].(object); !ok {
					bad("%s is not described", name)
					continue
				}
			}
			problems = append(problems, validate(doc, property, x, at+"."+name)...)
		}
	default:
		bad("no type in %v", schema)
	}
	return problems
}

// What a running host answers is what the document says.
func TestAnswersFitTheDocument(t *testing.T) {
	r := newRig(t, nil, accepting("polite"))
	r.fill(t)
	var doc object
	if err := r.client.Get(t.Context(), openAPIPath, &doc); err != nil {
		t.Fatal(err)
	}
	documents := 0
	for path, item := range doc["paths"].(object) {
		get, ok := item.(object)["get"].(object)
		if !ok {
			continue
		}
		content := get["responses"].(object)["200"].(object)["content"].(object)
		described, ok := content["application/json"].(object)
		if !ok || described["schema"] == nil {
			continue
		}
		status, text := r.raw("GET", path, "")
		if status != 200 {
			t.Errorf("%s: %d %s", path, status, text)
			continue
		}
		var v any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		documents++
		if path != healthPath && path != readyPath && path != "/v1/status" && path != "/v1/node" {
			for name, all := range v.(object) { // a list without members would pass whatever it holds
				if items, ok := all.([]any); ok && len(items) == 0 {
					t.Errorf("%s: %s is empty", path, name)
				}
			}
		}
		for _, p := range validate(doc, described["schema"].(object), v, path) {
			t.Error(p)
		}
	}
	if documents != 11 {
		t.Errorf("%d documents were checked, want 11", documents)
	}
	if !slices.Equal(validate(doc, object{"$ref": "#/components/schemas/Liveness"}, object{"alive": 1.0, "x": 1.0}, "v"), nil) {
		return
	}
	t.Error("a wrong document passes")
}

package link

import (
	"encoding/json"
	"fmt"

	"github.com/discv5/host/sdk/pluginpb"
)

// Bounds of a description.
const (
	maxName          = 64 // bytes of a name or a version
	maxServices      = 32
	maxServiceName   = 128
	maxNeeds         = 32
	maxProtocols     = 64
	maxProtocolBytes = 64
	maxStages        = 3

	maxSchemaDepth = 8
	maxSchemaItems = 512 // attributes and blocks of the whole schema
	maxSchemaDoc   = 1024
	maxDefault     = 4096 // bytes of JSON
)

// stageNames are the stages of filters.
var stageNames = map[string]bool{"table": true, "serve": true, "deliver": true}

// grantNames are the grants, by the calls that need them, and metrics.
var grantNames = func() map[string]bool {
	names := map[string]bool{"metrics": true}
	for _, k := range kinds {
		if k.grant != "" {
			names[k.grant] = true
		}
	}
	return names
}()

// checkDescription makes the text of a description safe to show, and reports what in it makes no sense.
func checkDescription(d *pluginpb.Description) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", errDescription, fmt.Sprintf(format, args...))
	}
	if len(d.Name) > maxName || len(d.Version) > maxName || len(d.Summary) > maxText {
		return bad("name and version have at most %d bytes, the summary %d", maxName, maxText)
	}
	d.Name, d.Version, d.Summary = clean(d.Name, maxName), clean(d.Version, maxName), clean(d.Summary, maxText)
	if len(d.Services) > maxServices {
		return bad("%d services", len(d.Services))
	}
	for i, s := range d.Services {
		if len(s) > maxServiceName {
			return bad("a service's name has %d bytes", len(s))
		}
		d.Services[i] = clean(s, maxServiceName)
	}
	if len(d.Needs) > maxNeeds {
		return bad("it needs %d grants", len(d.Needs))
	}
	for _, n := range d.Needs {
		if !grantNames[n] {
			return bad("it needs %q, which is no grant", clean(n, maxName))
		}
	}
	protocols := d.GetTalk().GetProtocols()
	if len(protocols) > maxProtocols {
		return bad("%d protocols", len(protocols))
	}
	seen := make(map[string]bool)
	for _, p := range protocols {
		if len(p) == 0 || len(p) > maxProtocolBytes {
			return bad("a protocol's name has %d bytes", len(p))
		}
		if seen[string(p)] {
			return bad("protocol %q is there twice", p)
		}
		seen[string(p)] = true
	}
	stages := d.GetFilter().GetStages()
	if len(stages) > maxStages {
		return bad("%d stages", len(stages))
	}
	for _, s := range stages {
		if !stageNames[s] {
			return bad("it names the stage %q, which there is not", clean(s, maxName))
		}
	}
	items := 0
	if err := checkSchema(d.Config, 1, &items); err != nil {
		return fmt.Errorf("%w: config: %w", errDescription, err)
	}
	return nil
}

// checkSchema is checkDescription for the schema of a config block; items counts what it has looked at.
func checkSchema(s *pluginpb.ConfigSchema, depth int, items *int) error {
	if s == nil {
		return nil
	}
	if depth > maxSchemaDepth {
		return fmt.Errorf("blocks are more than %d deep", maxSchemaDepth)
	}
	if *items += len(s.Attributes) + len(s.Blocks); *items > maxSchemaItems {
		return fmt.Errorf("more than %d attributes and blocks", maxSchemaItems)
	}
	seen := make(map[string]bool)
	named := func(name string) error {
		if !isName(name, maxName) {
			return fmt.Errorf("%q is no name: a-z, then a-z, 0-9 and _", clean(name, maxName))
		}
		if seen[name] {
			return fmt.Errorf("%q is there twice", name)
		}
		seen[name] = true
		return nil
	}
	for _, a := range s.Attributes {
		if err := named(a.GetName()); err != nil {
			return err
		}
		if a.Type <= pluginpb.ConfigType_CONFIG_TYPE_UNSPECIFIED || a.Type > pluginpb.ConfigType_CONFIG_TYPE_STRING_MAP {
			return fmt.Errorf("%q has an unknown type", a.Name)
		}
		if len(a.DefaultJson) > maxDefault || a.DefaultJson != "" && !json.Valid([]byte(a.DefaultJson)) {
			return fmt.Errorf("%q has a default that is no JSON", a.Name)
		}
		a.Doc = clean(a.Doc, maxSchemaDoc)
	}
	for _, b := range s.Blocks {
		if err := named(b.GetName()); err != nil {
			return err
		}
		b.Doc = clean(b.Doc, maxSchemaDoc)
		if err := checkSchema(b.Schema, depth+1, items); err != nil {
			return fmt.Errorf("%s: %w", b.Name, err)
		}
	}
	return nil
}

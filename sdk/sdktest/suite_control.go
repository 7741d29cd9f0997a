package sdktest

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/discv5/host/sdk"
	"github.com/discv5/host/sdk/pluginpb"
	"google.golang.org/protobuf/proto"
)

var (
	configName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	metricName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	grants     = []string{sdk.GrantSelf, sdk.GrantPing, sdk.GrantFindNode, sdk.GrantTalk, sdk.GrantLookup, sdk.GrantResolve,
		sdk.GrantClosest, sdk.GrantSample, sdk.GrantWatch, sdk.GrantRecord, sdk.GrantKV, sdk.GrantBan, sdk.GrantMetrics}
)

// control checks what every plugin owes.
func (s *suiteRun) control(t T) {
	t.Run("describe", func(t T) {
		for _, problem := range descriptionProblems(s.about) {
			t.Errorf("%s", problem)
		}
		x := s.begin(t)
		if again, err := x.describe(); err != nil || !proto.Equal(again, s.about) {
			t.Errorf("a second incarnation describes itself differently: %v instead of %v (%v)", again, s.about, err)
		}
	})
	t.Run("configure", func(t T) {
		x := s.start(t)
		if again, err := x.describe(); err != nil || !proto.Equal(again, s.about) {
			t.Errorf("the description changed when the plugin was configured: %v (%v)", again, err)
		}
		if err := x.configure(x.request()); err == nil {
			t.Errorf("Configure went well a second time; it is called once")
		}
		if r, err := x.health(); err != nil || r.GetStatus() == pluginpb.HealthStatus_HEALTH_STATUS_FAILING {
			t.Errorf("not healthy after a second Configure: %v %v", r, err)
		}
	})
	t.Run("wrong configuration", s.wrongConfiguration)
	t.Run("needs", func(t T) {
		if len(s.about.GetNeeds()) == 0 {
			return // nothing to be without
		}
		x := s.begin(t)
		r := x.request()
		r.Grants = nil
		if err := x.configure(r); err == nil {
			t.Errorf("it was configured without the grants that it says it needs: %q", s.about.GetNeeds())
		}
	})
	t.Run("health", func(t T) {
		x := s.start(t)
		r, err := x.health()
		if err != nil {
			t.Fatalf("health: %v", err)
		}
		if r.GetStatus() == pluginpb.HealthStatus_HEALTH_STATUS_FAILING || r.GetStatus() > pluginpb.HealthStatus_HEALTH_STATUS_FAILING {
			t.Errorf("health is %v: %s", r.GetStatus(), r.GetMessage())
		}
		if len(r.GetMessage()) > 256 {
			t.Errorf("the health message has %d bytes; 256 are the most", len(r.GetMessage()))
		}
	})
	t.Run("metrics", func(t T) {
		x := s.start(t)
		ctx, cancel := context.WithTimeout(x.ctx, 500*time.Millisecond)
		defer cancel()
		m, err := x.control().Metrics(ctx, &pluginpb.MetricsRequest{})
		if err != nil {
			t.Fatalf("metrics: %v", err)
		}
		samples := 0
		for _, metric := range m.GetMetrics() {
			samples += len(metric.GetSamples())
			if !metricName.MatchString(metric.GetName()) {
				t.Errorf("the metric name %q does not match %s", metric.GetName(), metricName)
			}
		}
		if len(m.GetMetrics()) > 64 || samples > 1024 {
			t.Errorf("%d metrics with %d samples; 64 and 1024 are the most", len(m.GetMetrics()), samples)
		}
	})
	t.Run("methods", s.methods)
	t.Run("drain", func(t T) {
		x := s.start(t)
		if err := x.drain(); err != nil {
			t.Fatalf("drain: %v", err)
		}
		x.terminate()
		if err := x.waitEnd(drainTime); err != nil {
			t.Errorf("after Drain: %v", err)
		}
	})
	t.Run("terminate", func(t T) {
		x := s.start(t)
		x.terminate()
		if err := x.waitEnd(drainTime + 500*time.Millisecond); err != nil {
			t.Errorf("after SIGTERM: %v", err)
		} else if p := x.process; p != nil && p.status != nil {
			t.Errorf("after SIGTERM it ended with %v, not with exit status 0", p.status)
		}
	})
	t.Run("lifeline", func(t T) {
		if !slices.Contains(s.about.GetServices(), pluginpb.HostService) {
			return // the part process looks at a parent that dies
		}
		x := s.start(t)
		x.cancel() // ends the Link stream
		if err := x.waitEnd(time.Second + 500*time.Millisecond); err != nil {
			t.Errorf("after the end of the Link stream: %v", err)
		}
	})
}

// wrongConfiguration gives a fresh plugin each configuration that its schema does not allow.
func (s *suiteRun) wrongConfiguration(t T) {
	type wrong struct{ name, config string }
	all := []wrong{{"no JSON", "{"}, {"no object", "[]"}}
	valid, err := configJSON(s.source.Config)
	if err != nil {
		t.Fatalf("%v", err)
	}
	for _, a := range s.about.GetConfig().GetAttributes() {
		var config map[string]any
		if err := json.Unmarshal(valid, &config); err != nil {
			t.Fatalf("%v", err)
		}
		config[a.GetName()] = []any{map[string]any{}} // of no type that an attribute may have
		b, err := json.Marshal(config)
		if err != nil {
			t.Fatalf("%v", err)
		}
		all = append(all, wrong{a.GetName() + " of another type", string(b)})
		if a.GetRequired() {
			delete(config, a.GetName())
			if b, err = json.Marshal(config); err != nil {
				t.Fatalf("%v", err)
			}
			all = append(all, wrong{a.GetName() + " is missing", string(b)})
		}
	}
	for _, w := range all {
		x := s.begin(t)
		r := x.request()
		r.ConfigJson = []byte(w.config)
		if err := x.configure(r); !refused(err) {
			t.Errorf("%s: Configure must say INVALID_ARGUMENT, and said: %v", w.name, err)
		}
		x.close()
	}
}

// descriptionProblems says what is wrong with a description.
func descriptionProblems(d *pluginpb.Description) (problems []string) {
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if n := len(d.GetName()); n == 0 || n > 64 {
		wrong("the name has %d bytes, not 1 to 64", n)
	}
	if n := len(d.GetVersion()); n > 64 {
		wrong("the version has %d bytes; 64 are the most", n)
	}
	if n := len(d.GetSummary()); n > 256 {
		wrong("the summary has %d bytes; 256 are the most", n)
	}
	kinds := 0
	for _, k := range []struct {
		name, service string
		described     bool
	}{
		{"talk", pluginpb.TalkService, d.GetTalk() != nil}, {"filter", pluginpb.FilterService, d.GetFilter() != nil},
		{"store", pluginpb.StoreService, d.GetStore() != nil},
	} {
		served := slices.Contains(d.GetServices(), k.service)
		if served {
			kinds++
		}
		if served != k.described {
			wrong("the service %s and the field %s of a description belong together", k.service, k.name)
		}
	}
	if kinds != 1 {
		wrong("it serves %d kinds, not one: %q", kinds, d.GetServices())
	}
	for _, need := range d.GetNeeds() {
		if !slices.Contains(grants, need) {
			wrong("it needs %q, which is no grant", need)
		}
	}
	if t := d.GetTalk(); t != nil {
		if n := len(t.GetProtocols()); n == 0 || n > 64 {
			wrong("it describes %d protocols, not 1 to 64", n)
		}
		seen := map[string]bool{}
		for _, p := range t.GetProtocols() {
			if len(p) == 0 || len(p) > 64 || seen[string(p)] {
				wrong("the protocol %q has %d bytes, not 1 to 64, or is there twice", p, len(p))
			}
			seen[string(p)] = true
		}
	}
	for _, stage := range d.GetFilter().GetStages() {
		if _, ok := stages[sdk.Stage(stage)]; !ok {
			wrong("it describes the stage %q, which does not exist", stage)
		}
	}
	return append(problems, schemaProblems("config", d.GetConfig())...)
}

// schemaProblems says what is wrong with a config schema.
func schemaProblems(where string, schema *pluginpb.ConfigSchema) (problems []string) {
	seen := map[string]bool{}
	name := func(name string) string {
		if !configName.MatchString(name) || !utf8.ValidString(name) || seen[name] {
			problems = append(problems, fmt.Sprintf("%s: the name %q does not match %s, or is there twice", where, name, configName))
		}
		seen[name] = true
		return where + "." + name
	}
	for _, a := range schema.GetAttributes() {
		full := name(a.GetName())
		if a.GetType() <= 0 || a.GetType() > pluginpb.ConfigType_CONFIG_TYPE_STRING_MAP {
			problems = append(problems, fmt.Sprintf("%s has no type", full))
		}
		if a.GetDefaultJson() != "" && !json.Valid([]byte(a.GetDefaultJson())) {
			problems = append(problems, fmt.Sprintf("%s: the default %q is no JSON", full, a.GetDefaultJson()))
		}
		if a.GetRequired() && a.GetDefaultJson() != "" {
			problems = append(problems, fmt.Sprintf("%s is required and has a default", full))
		}
	}
	for _, b := range schema.GetBlocks() {
		problems = append(problems, schemaProblems(name(b.GetName()), b.GetSchema())...)
	}
	return problems
}

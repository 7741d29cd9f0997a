package sdk

import (
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/discv5/host/sdk/pluginpb"
	"google.golang.org/protobuf/encoding/protojson"
)

type limits struct {
	Depth uint8         `hcl:"depth,optional" doc:"how deep"`
	Wait  time.Duration `hcl:"wait,optional"`
}

type peer struct {
	Name string `hcl:"name"`
	Port uint16 `hcl:"port,optional"`
}

type testConfig struct {
	Path    string            `hcl:"path" doc:"where it is"`
	Token   string            `hcl:"token,optional" secret:"true"`
	Count   int               `hcl:"count,optional"`
	Ratio   float64           `hcl:"ratio,optional"`
	On      bool              `hcl:"on,optional"`
	Words   []string          `hcl:"words,optional"`
	Labels  map[string]string `hcl:"labels,optional"`
	Limits  limits            `hcl:"limits,block" doc:"bounds"`
	Maybe   *limits           `hcl:"maybe,block"`
	Peers   []peer            `hcl:"peer,block"`
	Ignored chan int
}

func defaults() *testConfig {
	return &testConfig{Token: "hush", Count: 7, Words: []string{"a"}, Limits: limits{Depth: 3, Wait: 300 * time.Millisecond}}
}

func TestConfigSchema(t *testing.T) {
	got, err := configSchema(defaults())
	if err != nil {
		t.Fatal(err)
	}
	limitsSchema := func(depth, wait string) string {
		return `{"attributes":[{"name":"depth","type":"CONFIG_TYPE_INT","defaultJson":"` + depth + `","doc":"how deep"},` +
			`{"name":"wait","type":"CONFIG_TYPE_DURATION","defaultJson":"\"` + wait + `\""}]}`
	}
	want := &pluginpb.ConfigSchema{}
	if err := protojson.Unmarshal([]byte(`{"attributes":[
		{"name":"path","type":"CONFIG_TYPE_STRING","required":true,"doc":"where it is"},
		{"name":"token","type":"CONFIG_TYPE_STRING","secret":true},
		{"name":"count","type":"CONFIG_TYPE_INT","defaultJson":"7"},
		{"name":"ratio","type":"CONFIG_TYPE_FLOAT","defaultJson":"0"},
		{"name":"on","type":"CONFIG_TYPE_BOOL","defaultJson":"false"},
		{"name":"words","type":"CONFIG_TYPE_STRING_LIST","defaultJson":"[\"a\"]"},
		{"name":"labels","type":"CONFIG_TYPE_STRING_MAP","defaultJson":"{}"}
	],"blocks":[
		{"name":"limits","doc":"bounds","schema":`+limitsSchema("3", "300ms")+`},
		{"name":"maybe","schema":`+limitsSchema("0", "0s")+`},
		{"name":"peer","repeated":true,"schema":{"attributes":[{"name":"name","type":"CONFIG_TYPE_STRING","required":true},{"name":"port","type":"CONFIG_TYPE_INT","defaultJson":"0"}]}}
	]}`), want); err != nil {
		t.Fatal(err)
	}
	if got, want := protojson.Format(got), protojson.Format(want); got != want {
		t.Errorf("schema\n%s\nwant\n%s", got, want)
	}
}

func TestConfigDecode(t *testing.T) {
	got := defaults()
	err := decodeConfig([]byte(`{"path":"/x","ratio":0.5,"on":true,"words":[],"labels":{"a":"b"},"count":-3,
		"limits":{"depth":255},"maybe":{"wait":"1m"},"peer":[{"name":"one"},{"name":"two","port":2}],"token":null}`), got)
	if err != nil {
		t.Fatal(err)
	}
	want := &testConfig{
		Path: "/x", Token: "hush", Count: -3, Ratio: 0.5, On: true, Words: []string{}, Labels: map[string]string{"a": "b"},
		Limits: limits{Depth: 255, Wait: 300 * time.Millisecond},
		Maybe:  &limits{Wait: time.Minute},
		Peers:  []peer{{Name: "one"}, {Name: "two", Port: 2}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("config %+v, want %+v", got, want)
	}
	got = defaults()
	if err := decodeConfig([]byte(`{"path":""}`), got); err != nil || !reflect.DeepEqual(got, defaults()) {
		t.Errorf("config with nothing given: %+v, %v", got, err)
	}
}

func TestConfigDecodeErrors(t *testing.T) {
	for text, want := range map[string]string{
		``:                                      `attribute "path" is missing`,
		`[]`:                                    `not a JSON object`,
		`{"path":"x"} 1`:                        `not a JSON object`,
		`{"path":1}`:                            `attribute "path": want a string, have 1`,
		`{"path":"x","count":"7"}`:              `attribute "count": want a whole number, have "7"`,
		`{"path":"x","count":7.5}`:              `attribute "count": want a whole number, have 7.5`,
		`{"path":"x","count":1e999}`:            `attribute "count": want a whole number`,
		`{"path":"x","ratio":"1"}`:              `attribute "ratio": want a number, have "1"`,
		`{"path":"x","on":"yes"}`:               `attribute "on": want true or false, have "yes"`,
		`{"path":"x","words":"a"}`:              `attribute "words": want a list of strings, have "a"`,
		`{"path":"x","labels":[]}`:              `attribute "labels": want a map of strings, have []`,
		`{"path":"x","limits":{"depth":-1}}`:    `attribute "limits.depth": -1 is out of range: 0 to 255`,
		`{"path":"x","limits":{"depth":256}}`:   `attribute "limits.depth": 256 is out of range: 0 to 255`,
		`{"path":"x","limits":{"wait":"5"}}`:    `attribute "limits.wait": want a duration like "300ms", have "5"`,
		`{"path":"x","limits":{"wait":5}}`:      `attribute "limits.wait": want a duration like "300ms", have 5`,
		`{"path":"x","limits":[]}`:              `block "limits": want an object`,
		`{"path":"x","peer":{}}`:                `block "peer": want a list of objects`,
		`{"path":"x","peer":[{"name":"a"},{}]}`: `attribute "peer[1].name" is missing`,
		`{"path":"x","maybe":{"what":1}}`:       `unknown attribute "maybe.what"`,
		`{"path":"x","b":1,"a":2}`:              "unknown attribute \"a\"\nunknown attribute \"b\"",
	} {
		if err := decodeConfig([]byte(text), defaults()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	if err := decodeConfig([]byte(`{"a":1}`), nil); err == nil || !strings.Contains(err.Error(), `"a"`) {
		t.Errorf("attribute of a plugin without configuration: %v", err)
	}
	if err := decodeConfig(nil, nil); err != nil {
		t.Errorf("no configuration: %v", err)
	}
}

type recursive struct {
	Name string     `hcl:"name,optional"`
	Next *recursive `hcl:"next,block"`
}

func TestConfigTypesThatAreNot(t *testing.T) {
	for want, config := range map[string]any{
		"must be a pointer to a struct": testConfig{},
		"config is a *int":              new(int),
		"config is a *sdk.testConfig":   (*testConfig)(nil),
		"config field C: type chan int is not supported": &struct {
			C chan int `hcl:"c"`
		}{},
		"config field A: type any is not supported": &struct {
			A any `hcl:"a"`
		}{},
		"config field A: type netip.Addr is not supported: use a string": &struct {
			A netip.Addr `hcl:"a"`
		}{},
		`config field L: type sdk.limits is not supported here: tag it "name,block"`: &struct {
			L limits `hcl:"l"`
		}{},
		"config block L: it is a int": &struct {
			L int `hcl:"l,block"`
		}{},
		"config field L.C: type []int is not supported": &struct {
			L struct {
				C []int `hcl:"c"`
			} `hcl:"l,block"`
		}{},
		"config field c: it has an hcl tag but is not exported": &struct {
			c int `hcl:"c"`
		}{},
		`config field C: the name "C-c" is not made of a-z`: &struct {
			C int `hcl:"C-c"`
		}{},
		`config field D: the name "c" is taken`: &struct {
			C int `hcl:"c"`
			D int `hcl:"c"`
		}{},
		`config field R: the tag hcl:",remain" is not supported`: &struct {
			R map[string]string `hcl:",remain"`
		}{},
		"nested more than 8 deep": &recursive{},
	} {
		if _, err := configSchema(config); err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), "interface {}", "any"), want) {
			t.Errorf("%T: %v, want %s", config, err, want)
		}
	}
}

type strictConfig struct {
	Depth int `hcl:"depth,optional"`
}

func (c *strictConfig) Validate() error {
	if c.Depth > 5 {
		return errors.New("depth is above 5")
	}
	return nil
}

func TestConfigValidate(t *testing.T) {
	if err := decodeConfig([]byte(`{"depth":5}`), &strictConfig{}); err != nil {
		t.Error(err)
	}
	if err := decodeConfig([]byte(`{"depth":6}`), &strictConfig{}); err == nil || err.Error() != "depth is above 5" {
		t.Errorf("Validate was not asked: %v", err)
	}
}

// FuzzConfigDecode: no JSON panics.
func FuzzConfigDecode(f *testing.F) {
	f.Add([]byte(`{"path":"x","limits":{"depth":3,"wait":"1s"},"peer":[{"name":"a"}],"maybe":null,"labels":{"a":"b"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		c := defaults()
		if err := decodeConfig(text, c); err == nil && len(c.Peers) > 0 && c.Peers[0].Name == "" && !strings.Contains(string(text), "name") {
			t.Errorf("a required attribute is missing in %q", text)
		}
	})
}

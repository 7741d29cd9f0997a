package config

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"
)

func TestChanged(t *testing.T) {
	load := func(env ...string) *Config {
		t.Helper()
		l, err := Load(t.Context(), Sources{Env: env})
		if err != nil {
			t.Fatal(err)
		}
		return &l.Config
	}
	const record = "enr:-IS4QHCYrYZbAKWCBRlAy5zzaDZXJBGkcnh4MHcBFZntXNFrdvJjX04jRzjzCBOonrkTfj499SZuOh8R33Ls8RRcy5wBgmlkgnY0gmlwhH8AAAGJc2VjcDI1NmsxoQPKY0yuDUmstAHYpMa2_oxVtw0RW_QAdpzBQA8yWM0xOIN1ZHCCdl8"
	for _, tc := range []struct {
		a, b []string
		want []string
	}{
		{nil, nil, nil},
		{[]string{"HOST_BOOTNODES=" + record}, []string{"HOST_BOOTNODES=" + record}, nil},
		{nil, []string{"HOST_BOOTNODES=" + record}, []string{"bootnodes"}},
		{[]string{"HOST_BANS=192.0.2.0/24"}, []string{"HOST_BANS=192.0.2.7/24"}, nil},
		{[]string{"HOST_ADMIN__TOKEN=aaaaaaaaaaaaaaaa"}, []string{"HOST_ADMIN__TOKEN=bbbbbbbbbbbbbbbb"}, []string{"admin.token"}},
		{[]string{"HOST_LIMITS__HANDSHAKES=5", "HOST_LOG_LEVEL=debug"}, []string{"HOST_TABLE__IPV4_PREFIX=16"}, []string{"log_level", "table.ipv4_prefix", "limits.handshakes"}},
	} {
		if got := load(tc.a...).Changed(load(tc.b...)); !slices.Equal(got, tc.want) {
			t.Errorf("%v against %v: %v, want %v", tc.a, tc.b, got, tc.want)
		}
	}
}

// Every key is compared: each one that is made different is the one that Changed returns.
func TestChangedKnowsEveryKey(t *testing.T) {
	var each func(path string, v reflect.Value, whole *Config)
	each = func(path string, v reflect.Value, whole *Config) {
		for i := range v.NumField() {
			f, key := v.Field(i), join(path, tagName(v.Type().Field(i)))
			if f.Kind() == reflect.Struct && f.Type().PkgPath() == reflect.TypeFor[Config]().PkgPath() {
				each(key, f, whole)
				continue
			}
			switch f.Kind() {
			case reflect.Slice:
				f.Set(reflect.MakeSlice(f.Type(), 1, 1))
			case reflect.Bool:
				f.SetBool(true)
			case reflect.Int, reflect.Int64:
				f.SetInt(int64(time.Second))
			case reflect.String:
				f.SetString("other")
			default: // an address
				continue
			}
			if got := new(Config).Changed(whole); !slices.Equal(got, []string{key}) {
				t.Errorf("%v changed, want %s", got, key)
			}
			f.SetZero()
		}
	}
	var whole Config
	each("", reflect.ValueOf(&whole).Elem(), &whole)
}

func tagName(f reflect.StructField) string {
	name := f.Tag.Get("hcl")
	for i, c := range name {
		if c == ',' {
			return name[:i]
		}
	}
	return name
}

func TestFingerprint(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	of := func(config string) string {
		t.Helper()
		path := filepath.Join(dir, "host.hcl")
		write(path, "plugin \"talk\" \"x\" {\n source = \"builtin:echo\"\n config {\n"+config+"\n}\n}\n")
		l, err := Load(t.Context(), Sources{Env: []string{"HOST_CONFIG=" + path, "WORD=a"}})
		if err != nil {
			t.Fatal(err)
		}
		return l.Plugins[0].Config.Fingerprint()
	}
	write(secret, "one")
	same := of("a = 1\n b = \"a\"\n c {\n d = 2\n}")
	for _, config := range []string{"# said otherwise\nb = env(\"WORD\")\n a = 2 - 1\n c {\n d = 2\n}"} {
		if of(config) != same {
			t.Errorf("%q says the same", config)
		}
	}
	for _, config := range []string{"", "a = 1", "a = 2\n b = \"a\"\n c {\n d = 2\n}", "a = 1\n b = \"a\"\n c {\n d = 3\n}", "a = 1\n b = \"a\"\n c {\n d = 2\n}\n c {\n d = 2\n}"} {
		if of(config) == same {
			t.Errorf("%q says something else", config)
		}
	}
	before := of(`a = file("secret")`)
	write(secret, "two")
	if of(`a = file("secret")`) == before {
		t.Error("the file that a key names says something else")
	}
}

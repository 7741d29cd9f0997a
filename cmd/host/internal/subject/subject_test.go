package subject

import (
	"strings"
	"testing"

	"github.com/discv5/host/cmd/host/internal/hint"
)

const record = "enr:-IS4QHCYrYZbAKWCBRlAy5zzaDZXJBGkcnh4MHcBFZntXNFrdvJjX04jRzjzCBOonrkTfj499SZuOh8R33Ls8RRcy5wBgmlkgnY0gmlwhH8AAAGJc2VjcDI1NmsxoQPKY0yuDUmstAHYpMa2_oxVtw0RW_QAdpzBQA8yWM0xOIN1ZHCCdl8"

func TestParse(t *testing.T) {
	id := strings.Repeat("0a", 32)
	for text, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8::1": "2001:db8::1",
		"192.0.2.77/24": "192.0.2.0/24", "::ffff:192.0.2.0/120": "192.0.2.0/24", "2001:db8::1/32": "2001:db8::/32", "192.0.2.7/32": "192.0.2.7",
		id: id, "0x" + id: id, strings.ToUpper(id): id,
		record: "a448f24c6d18e575453db13171562b71999873db5b286df957af199ec94617f7",
	} {
		s, err := Parse(text)
		if err != nil || s.String() != want {
			t.Errorf("%.40s: %v, %v, want %s", text, s, err, want)
			continue
		}
		again, err := Parse(s.String())
		if err != nil || again != s {
			t.Errorf("%s reads back as %v, %v", s, again, err)
		}
		if (s.ID == [32]byte{}) != s.Prefix.IsValid() {
			t.Errorf("%s is both or neither: %+v", text, s)
		}
	}
}

func TestRefused(t *testing.T) {
	for text, want := range map[string]string{
		"": "nobody", "example.org": "nobody", strings.Repeat("0", 64): "nobody", strings.Repeat("a", 63): "nobody", strings.Repeat("a", 600): "nobody",
		"192.0.2.0/33": "not a range", "192.0.2/24": "not a range", "fe80::1%eth0": "has a zone", "fe80::%eth0/64": "has a zone",
		"::ffff:192.0.2.0/90": "not a range of IPv4", "0.0.0.0/0": "everybody", "::/0": "everybody", "::ffff:0.0.0.0/96": "everybody",
		record[:50]: "not a node record",
	} {
		s, err := Parse(text)
		if err == nil || s != (Subject{}) || !strings.Contains(err.Error(), want) || hint.Of(err) == "" {
			t.Errorf("%.40q: %v, %v (hint %q), want %q", text, s, err, hint.Of(err), want)
		}
	}
}

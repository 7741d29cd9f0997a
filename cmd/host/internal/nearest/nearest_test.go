package nearest

import (
	"strings"
	"testing"
)

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"nat", "nat", 0}, {"nta", "nat", 1}, {"lisen", "listen", 1}, {"", "nat", 3}, {"kitten", "sitting", 3}} {
		if got := distance(c.a, c.b); got != c.want || distance(c.b, c.a) != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestWord(t *testing.T) {
	known := []string{"nat", "listen", "host_banAdd", strings.Repeat("x", maxWord+1)}
	for text, want := range map[string]string{
		"lisetn": "listen", "LISTEN": "listen", "host_banadd": "host_banAdd", "nta": "nat", "x": "", "": "", strings.Repeat("x", maxWord+1): "",
	} {
		if got := Word(text, known); got != want {
			t.Errorf("%q may have been meant for %q, want %q", text, got, want)
		}
	}
	if got := Within("lisetn", known, 0); got != "" {
		t.Errorf("without a mistake it is %q", got)
	}
}

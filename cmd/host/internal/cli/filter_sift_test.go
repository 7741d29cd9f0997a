package cli

import (
	"slices"
	"testing"
)

func TestRecordsIn(t *testing.T) {
	for _, tc := range []struct {
		line string
		want []string
	}{
		{"enr:-abc_D", []string{"enr:-abc_D"}},
		{"  enr:abc \r", []string{"enr:abc"}},
		{`{"enr":"enr:abc","seq":1}`, []string{"enr:abc"}},
		{`[{"enr":"enr:abc"},{"enr":"enr:def"}]`, []string{"enr:abc", "enr:def"}},
		{"1.2.3.4 enr:abc, enr:def", []string{"enr:abc", "enr:def"}},
		{"enr:abc=", []string{"enr:abc="}}, // what is wrong with it is for its parser to say
		{"enr:", []string{"enr:"}},
		{"\ufeffenr:abc", []string{"enr:abc"}},
		{"\ufeff# enr:abc", nil},
		{"# enr:abc", nil},
		{"", nil},
		{"ENR:abc", nil},
	} {
		if got := slices.Collect(recordsIn(tc.line)); !slices.Equal(got, tc.want) {
			t.Errorf("%q: %q, want %q", tc.line, got, tc.want)
		}
	}
}

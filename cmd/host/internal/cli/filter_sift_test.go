package cli

import "testing"

func TestRecordIn(t *testing.T) {
	for _, tc := range []struct{ line, want string }{
		{"enr:-abc_D", "enr:-abc_D"},
		{"  enr:abc \r", "enr:abc"},
		{`{"enr":"enr:abc","seq":1}`, "enr:abc"},
		{"1.2.3.4 enr:abc, enr:def", "enr:abc"},
		{"enr:abc=", "enr:abc="}, // what is wrong with it is for its parser to say
		{"enr:", "enr:"},
		{"# enr:abc", ""},
		{"", ""},
		{"ENR:abc", ""},
	} {
		if got, found := recordIn(tc.line); got != tc.want || found != (tc.want != "") {
			t.Errorf("%q: %q, %v; want %q", tc.line, got, found, tc.want)
		}
	}
}

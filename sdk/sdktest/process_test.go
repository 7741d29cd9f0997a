package sdktest

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"
)

func TestHandshakeLine(t *testing.T) {
	for _, line := range []string{"1|1|unix|/run/x/s|grpc\n", "1|1|unix|/run/x/s|grpc\r\n", "1|1|unix|/run/x/s|grpc|cert|true\n"} {
		if network, address, err := parseHandshake(line); err != nil || network != "unix" || address != "/run/x/s" {
			t.Errorf("%q: %q %q %v", line, network, address, err)
		}
	}
	for line, says := range map[string]string{
		"":                        "no end",
		"1|1|unix|/s|grpc":        "no end",
		"hello\n":                 "no handshake line",
		"1|1|unix|/s\n":           "no handshake line",
		"2|1|unix|/s|grpc\n":      "core protocol",
		"1|2|unix|/s|grpc\n":      "protocol version",
		"1|1|udp|/s|grpc\n":       "network",
		"1|1|unix|/s|netrpc\n":    "not grpc",
		"1|1|unix|/s|grpc \n":     "not grpc",
		strings.Repeat("x", 4096): "no end",
	} {
		if _, _, err := parseHandshake(line); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.40q: %v", line, err)
		}
	}
}

func TestLogsAreBounded(t *testing.T) {
	l := &lines{}
	for range 10 * maxLines {
		if n, err := l.Write([]byte("some line\nand more of it")); n != 24 || err != nil {
			t.Fatal(n, err)
		}
	}
	if _, err := l.Write(make([]byte, 10*maxLine)); err != nil {
		t.Fatal(err)
	}
	all := l.all()
	if len(all) > maxLines+1 || all[0] != "and more of itsome line" {
		t.Errorf("%d lines, the first is %q", len(all), all[0])
	}
	for _, line := range all {
		if len(line) > maxLine {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
}

func TestProgramsThatAreNoPlugins(t *testing.T) {
	for path, says := range map[string]string{
		"/does/not/exist": "no such file",
		"process_test.go": "start",
		"/bin/true":       "ended before its handshake line",
		"/bin/echo":       "no handshake line",
	} {
		var out strings.Builder
		r := Run(&out, Source{Path: path})
		if r.Failed != 1 || r.Kind != "" || !strings.Contains(out.String(), says) {
			t.Errorf("%s: %+v\n%s", path, r, &out)
		}
	}
	if r := Run(t.Output(), Source{}); r.Failed != 1 {
		t.Errorf("nothing at all: %+v", r)
	}
}

// A run that is ended leaves nothing running, wherever it was.
func TestRunContextEnds(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	first := &firstWrite{then: cancel}
	done := make(chan Report, 1)
	go func() { done <- RunContext(ctx, first, brokenSource(self, "talk", "ignores TERM")) }()
	late := time.NewTimer(20 * time.Second)
	defer late.Stop()
	select {
	case r := <-done:
		if len(r.Checks) != 1 || r.Failed != 0 {
			t.Errorf("%+v", r)
		}
	case <-late.C:
		t.Fatal("it goes on")
	}
}

// firstWrite calls then when something is written.
type firstWrite struct{ then func() }

func (f *firstWrite) Write(b []byte) (int, error) {
	f.then()
	return len(b), nil
}

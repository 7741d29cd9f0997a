package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode"

	"github.com/discv5/host/cmd/host/internal/config"
	"github.com/discv5/host/cmd/host/internal/hint"
)

// What an argument or a file holds reaches the terminal as text alone, and begins no line of its own.
func TestReportShowsTextOnly(t *testing.T) {
	evil := "a\x1b[31m\u202eb\nhint: run rm\r\x07\x9b"
	for _, err := range []error{
		errors.New(evil), hint.New("what", evil), errors.Join(errors.New("one"), errors.New(evil)),
		config.Problems{{Where: evil, What: evil, Hint: evil}},
	} {
		var out bytes.Buffer
		report(&out, err)
		if strings.ContainsAny(out.String(), "\x1b\u202e\r\x07\u009b") || strings.Contains(out.String(), "\nhint: run") {
			t.Errorf("%q is reported as %q", err, out.String())
		}
		if !strings.Contains(out.String(), `a\x1b[31m\u202eb`) {
			t.Errorf("%q is not in %q", err, out.String())
		}
	}
	var out bytes.Buffer
	if err := printRows(&out, []row{{"k\x1b", "v\x1b"}}); err != nil || strings.Contains(out.String(), "\x1b") {
		t.Errorf("rows show %q, %v", out.String(), err)
	}
}

type brokenWriter struct{ err error }

func (b brokenWriter) Write([]byte) (int, error) { return 0, b.err }

// Every command that prints something fails when it cannot.
func TestOutputThatCannotBeWritten(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"help", "run"}, {"run", "--help"}, {"version"}, {"version", "--json"}, {"key", "new"}, {"completion", "bash"}} {
		var stderr bytes.Buffer
		if status := Main(args, strings.NewReader(""), brokenWriter{io.ErrShortWrite}, &stderr); status != exitFailure {
			t.Errorf("host %v ends with %d", args, status)
		}
		if !strings.Contains(stderr.String(), "host: write the output: short write\nhint: ") {
			t.Errorf("host %v says %q", args, stderr.String())
		}
	}
	if fd := newOutput(new(bytes.Buffer), func() {}).Fd(); fd != ^uintptr(0) {
		t.Errorf("a buffer has the descriptor %d", fd)
	}
}

// JSON says what it says without a character that a terminal would obey, and a program reads the same from it.
func TestJSONForTerminals(t *testing.T) {
	const evil = "a\x1b[2J\u009b2J\u007f\u202e\U000e0041<ä😀\n"
	for name, print := range map[string]func(io.Writer, any) error{"printJSON": printJSON, "printLine": printLine} {
		var b bytes.Buffer
		if err := print(&b, []string{evil}); err != nil {
			t.Fatal(err)
		}
		for _, r := range strings.ReplaceAll(b.String(), "\n", "") {
			if !unicode.IsPrint(r) {
				t.Errorf("%s: %q in %q", name, r, b.String())
			}
		}
		var back []string
		if err := json.Unmarshal(b.Bytes(), &back); err != nil || len(back) != 1 || back[0] != evil {
			t.Errorf("%s: %q, %v", name, back, err)
		}
		if !strings.Contains(b.String(), "<ä😀") || name == "printLine" && strings.Count(b.String(), "\n") != 1 {
			t.Errorf("%s: %q", name, b.String())
		}
	}
}

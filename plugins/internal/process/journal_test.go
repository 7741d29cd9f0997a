package process

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/go-hclog"
)

// output collects a log.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) { o.mu.Lock(); defer o.mu.Unlock(); return o.b.Write(b) }
func (o *output) String() string              { o.mu.Lock(); defer o.mu.Unlock(); return o.b.String() }
func (o *output) Len() int                    { o.mu.Lock(); defer o.mu.Unlock(); return o.b.Len() }
func (o *output) logger() hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{Output: o, Level: hclog.Debug, DisableTime: true})
}

func TestParseEntry(t *testing.T) {
	tests := []struct {
		line   string
		stdout bool
		dying  bool
		level  hclog.Level
		text   string
	}{
		{line: `{"@level":"debug","@message":"hello","@module":"echo","@timestamp":"x","b":[1,2],"a":"x y"}`, level: hclog.Debug, text: "hello module=echo a=x y b=[1,2]"},
		{line: `{"@message":1}`, level: hclog.Info, text: "1"},
		{line: `{"@message":null,"@level":7}`, level: hclog.Info, text: "null"},
		{line: `{"@message":"off","@level":"off"}`, level: hclog.Error, text: "off"},
		{line: `{"@message":"x","a b\n":"1","":2}`, level: hclog.Info, text: "x _=2 a_b_=1"},
		{line: `{"@message":"x","plugin":"another"}`, level: hclog.Info, text: "x"},
		{line: `{"@message":"no end"`, level: hclog.Info, text: `{"@message":"no end"`},
		{line: `{"msg":"somebody else's"}`, level: hclog.Info, text: `{"msg":"somebody else's"}`},
		{line: `{"@message":"x","@level":"error"}`, stdout: true, level: hclog.Debug, text: `{"@message":"x","@level":"error"}`},
		{line: "[WARN] disk is full", level: hclog.Warn, text: "[WARN] disk is full"},
		{line: "[7] is a number", level: hclog.Info, text: "[7] is a number"},
		{line: "[", level: hclog.Info, text: "["},
		{line: "panic: no", level: hclog.Error, text: "panic: no"},
		{line: "main.go:1", dying: true, level: hclog.Error, text: "main.go:1"},
		{line: "\x1b[31mred\x00\xff\u202e", level: hclog.Info, text: `\x1b[31mred\x00` + "\uFFFD" + `\u202e`},
		{line: "{" + strings.Repeat("[", 100_000), level: hclog.Info, text: "{" + strings.Repeat("[", maxText-1) + "…"},
	}
	for _, test := range tests {
		e := parseEntry([]byte(test.line), test.stdout, test.dying)
		if e.level != test.level || e.text() != test.text {
			t.Errorf("%.60q gave %v %.80q, want %v %.80q", test.line, e.level, e.text(), test.level, test.text)
		}
	}
}

func TestSplitter(t *testing.T) {
	long := strings.Repeat("a", maxLine)
	for _, input := range []string{"", "a", "a\n", "\n\n", "a\nb", "one\ntwo\nthree", long, long + "\n", long + "b\nc", strings.Repeat(long, 3) + "\nrest"} {
		for _, size := range []int{1 << 20, 1000, 7} {
			var got []string
			s := splitter{emit: func(line []byte, cut int) { got = append(got, fmt.Sprint(len(line), cut)) }}
			for rest := input; len(rest) > 0; rest = rest[min(size, len(rest)):] {
				_, _ = s.Write([]byte(rest[:min(size, len(rest))]))
			}
			s.end()
			var want []string
			lines := strings.Split(input, "\n")
			if lines[len(lines)-1] == "" {
				lines = lines[:len(lines)-1]
			}
			for _, line := range lines {
				want = append(want, fmt.Sprint(min(len(line), maxLine), max(0, len(line)-maxLine)))
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%.20q… in parts of %d gave %q, want %q", input, size, got, want)
			}
		}
	}
}

func TestJournalKeepsTheLastLines(t *testing.T) {
	j := newJournal("p", hclog.NewNullLogger())
	for i := range 100 {
		j.stderr(fmt.Appendf(nil, "line %d", i), 0)
	}
	if last := j.last(); len(last) != keptLines || last[0] != "line 80" || last[19] != "line 99" {
		t.Errorf("kept %q", last)
	}
	for range 100 {
		j.stderr([]byte(strings.Repeat("x", 3000)), 0)
	}
	size := 0
	for _, line := range j.last() {
		size += len(line)
	}
	if size > keptBytes || len(j.last()) < 5 {
		t.Errorf("kept %d lines with %d bytes", len(j.last()), size)
	}
}

func TestLastWords(t *testing.T) {
	long := []string{"hello", "panic: boom", "goroutine 1 [running]:"}
	for i := range 2 * keptLines {
		long = append(long, fmt.Sprintf("main.f%d()", i))
	}
	for _, test := range []struct {
		lines []string
		want  string
	}{
		{nil, ""},
		{[]string{"hello", " config: no such file "}, "config: no such file"},
		{long[:4], "panic: boom"},
		{long, "panic: boom"},
		{[]string{"hello", `{"@level":"error","@message":"plugin panicked","in":"Start","panic":"boom","stack":"goroutine 1 [running]:\nmain.f()"}`}, "plugin panicked in=Start panic=boom"},
	} {
		j := newJournal("p", hclog.NewNullLogger())
		for _, l := range test.lines {
			j.stderr([]byte(l), 0)
		}
		if got := LastWords(j.last()); got != test.want || len(j.last()) > keptLines {
			t.Errorf("%.40q: %q in %d lines, want %q", test.lines, got, len(j.last()), test.want)
		}
	}
}

func TestJournalBoundsTheLog(t *testing.T) {
	var log output
	j := newJournal("p", log.logger())
	now := time.Unix(1000, 0)
	for range 5000 {
		j.take(now, []byte("x"), 0, false)
	}
	if n := strings.Count(log.String(), "\n"); n != linesBurst {
		t.Errorf("%d lines logged, want %d", n, linesBurst)
	}
	for range 500 {
		j.take(now.Add(time.Second), []byte("x"), 0, false)
	}
	if n := strings.Count(log.String(), "\n"); n != linesBurst+linesPerSec+1 || !strings.Contains(log.String(), "count=4000") {
		t.Errorf("%d lines logged after another second", n)
	}
	for i := range 9 {
		j.take(now.Add(time.Duration(2+i)*time.Second), []byte("x"), 0, false)
	}
	if n := strings.Count(log.String(), "takes"); n != 1 {
		t.Errorf("what is missing was told %d times in 10 s", n)
	}
	j.take(now.Add(time.Second+missedEvery), []byte("x"), 0, false)
	for range 5000 {
		j.take(now.Add(time.Second+missedEvery), []byte("x"), 0, false)
	}
	if n := strings.Count(log.String(), "takes: plugin=p count=400\n"); n != 1 {
		t.Errorf("what is missing was told %d times after another 10 s", n)
	}
	j.end()
	if !strings.Contains(log.String(), "wrote more than the log takes: plugin=p count=") {
		t.Error("the rest is not told at the end")
	}
}

func TestJournalBoundsTheBytesInTheLog(t *testing.T) {
	var log output
	j := newJournal("p", log.logger())
	pairs := make([]string, 40)
	for i := range pairs {
		pairs[i] = fmt.Sprintf(`"k%d":"%s"`, i, strings.Repeat("v", 500))
	}
	line := []byte(`{"@level":"error","@message":"` + strings.Repeat("m", 1000) + `",` + strings.Join(pairs, ",") + "}")
	now := time.Unix(1000, 0)
	j.take(now, line, 0, false)
	if n := log.Len(); n < maxText-600 || n > maxText+200 || !strings.Contains(log.String(), "more=") {
		t.Errorf("one entry has %d bytes", n)
	}
	for i := range 10_000 {
		j.take(now.Add(time.Duration(i)*time.Millisecond), line, 0, false)
	}
	if n := log.Len(); n < bytesBurst+9*bytesPerSec || n > bytesBurst+11*bytesPerSec+100_000 {
		t.Errorf("%d bytes were logged in 10 s", n)
	}
}

func FuzzParseEntry(f *testing.F) {
	for _, s := range []string{"", "x", `{"@message":1}`, `{"@message":"m","@level":"info","k":{"a":[1]}}`, "[WARN] x", "\xff\x00", `{"@message":"\ud800"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		e := parseEntry(line, false, false)
		text := e.text()
		if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\t' }) {
			t.Errorf("%q gave %q", line, text)
		}
		if len(text) > maxText+3+2*(maxKey+8) || e.level < hclog.Trace || e.level > hclog.Error {
			t.Errorf("%d bytes gave %d at level %d", len(line), len(text), e.level)
		}
	})
}

package sdktest

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/discv5/host/sdk/pluginpb"
)

// T is what the suites need of a test.
type T interface {
	Helper()
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any) // does not return
	// Run runs a part under a name of its own and tells whether it went well.
	Run(name string, part func(T)) bool
	// Cleanup calls f when this part is over.
	Cleanup(f func())
}

// Conformance checks that a plugin keeps its contract, as far as that can be seen from outside: the control service, and the service
// of its kind. Each part starts the plugin anew.
func Conformance(t *testing.T, source Source) {
	t.Helper()
	suite(t.Context(), goTest{t}, source)
}

// goTest is a *testing.T as a T.
type goTest struct{ *testing.T }

// Run runs a subtest.
func (t goTest) Run(name string, part func(T)) bool {
	return t.T.Run(name, func(t *testing.T) { part(goTest{t}) })
}

// Report is how a run of the suites went.
type Report struct {
	Kind   string  // "talk", "filter" or "store"; "" if the plugin could not say
	Checks []Check // in their order
	Failed int     // of the checks
	Took   time.Duration
}

// Check is one part of a suite.
type Check struct {
	Name   string // "control/drain"
	Failed bool
	Lines  []string // what it has to say
	Took   time.Duration
}

// Run checks a plugin as Conformance does, outside of a test. It writes a line for each check to out as it goes, and what
// was wrong below it.
func Run(out io.Writer, source Source) Report { return RunContext(context.Background(), out, source) }

// RunContext is Run until ctx ends: the programs that it started are killed then, and the report has the checks that were over before.
func RunContext(ctx context.Context, out io.Writer, source Source) Report {
	begin := time.Now()
	r := &reporter{out: out, ctx: ctx}
	root := &check{report: r}
	root.do(func(t T) { r.Kind = suite(ctx, t, source) })
	if root.failed && r.Failed == 0 { // outside of any part
		r.add(Check{Name: "start", Failed: true, Lines: root.lines, Took: time.Since(begin)})
	}
	r.Took = time.Since(begin)
	return r.Report
}

type reporter struct {
	Report
	ctx  context.Context // of the run
	out  io.Writer
	only string // the one part that runs; "": all
}

func (r *reporter) add(c Check) {
	if r.ctx.Err() != nil {
		return // what failed may have failed for that
	}
	r.Checks = append(r.Checks, c)
	word := "ok  "
	if c.Failed {
		r.Failed++
		word = "FAIL"
	}
	fmt.Fprintf(r.out, "%s %s (%s)\n", word, c.Name, c.Took.Round(time.Millisecond))
	for _, line := range c.Lines {
		fmt.Fprintf(r.out, "     %s\n", strings.ReplaceAll(line, "\n", "\n     "))
	}
}

// check is a running part: a T without a test. One goroutine uses it.
type check struct {
	report  *reporter
	name    string
	failed  bool
	parts   int
	lines   []string
	cleanup []func()
}

func (c *check) Helper() {}

func (c *check) Cleanup(f func()) { c.cleanup = append(c.cleanup, f) }

func (c *check) Logf(format string, args ...any) {
	c.lines = append(c.lines, fmt.Sprintf(format, args...))
}

func (c *check) Errorf(format string, args ...any) {
	c.failed = true
	c.Logf(format, args...)
}

func (c *check) Fatalf(format string, args ...any) {
	c.Errorf(format, args...)
	runtime.Goexit()
}

// Run runs a part. Those without parts of their own are in the report.
func (c *check) Run(name string, part func(T)) bool {
	if c.report.only != "" && c.report.only != name {
		return true
	}
	if c.report.ctx.Err() != nil {
		return false
	}
	c.parts++
	inner := &check{report: c.report, name: strings.TrimPrefix(c.name+"/"+name, "/")}
	begin := time.Now()
	inner.do(part)
	if inner.parts == 0 || len(inner.lines) > 0 {
		c.report.add(Check{inner.name, inner.failed, inner.lines, time.Since(begin)})
	}
	c.failed = c.failed || inner.failed
	return !inner.failed
}

// do runs f on a goroutine that Fatalf can end.
func (c *check) do(f func(T)) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			for _, f := range slices.Backward(c.cleanup) {
				f()
			}
		}()
		defer func() {
			if r := recover(); r != nil {
				c.Errorf("panic: %v\n%s", r, debug.Stack())
			}
		}()
		f(c)
	}()
	<-done
}

// suite checks a plugin of any kind and returns the kind.
func suite(ctx context.Context, t T, source Source) (kind string) {
	t.Helper()
	x, err := begin(ctx, source, nil, "")
	if err != nil {
		t.Fatalf("the plugin does not start: %v", err)
	}
	about := x.about
	x.close()
	s := &suiteRun{ctx: ctx, source: source, about: about}
	t.Run("control", s.control)
	if source.Path != "" {
		t.Run("process", s.process)
	}
	for _, k := range []struct {
		name, service string
		described     bool
		run           func(T)
	}{
		{"talk", pluginpb.TalkService, about.GetTalk() != nil, s.talk},
		{"filter", pluginpb.FilterService, about.GetFilter() != nil, s.filter},
		{"store", pluginpb.StoreService, about.GetStore() != nil, s.store},
	} {
		if k.described && slices.Contains(about.GetServices(), k.service) {
			kind = k.name
			t.Run(k.name, k.run)
		}
	}
	return kind
}

// suiteRun is what the parts of a run share.
type suiteRun struct {
	ctx    context.Context // its end ends all plugins
	source Source
	about  *pluginpb.Description
}

// start starts and configures the plugin for one part.
func (s *suiteRun) start(t T) *session {
	t.Helper()
	return s.startIn(t, "")
}

func (s *suiteRun) startIn(t T, dataDir string) *session {
	t.Helper()
	x, err := start(s.ctx, s.source, nil, dataDir)
	if err != nil {
		t.Fatalf("the plugin does not start: %v", err)
	}
	t.Cleanup(x.close)
	return x
}

// begin starts the plugin without a configuration.
func (s *suiteRun) begin(t T) *session {
	t.Helper()
	x, err := begin(s.ctx, s.source, nil, "")
	if err != nil {
		t.Fatalf("the plugin does not start: %v", err)
	}
	t.Cleanup(x.close)
	return x
}

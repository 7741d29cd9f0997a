package metrics

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// promtool runs Prometheus' own checker, and wants it to find nothing. PROMTOOL says where it is; else it is looked for in PATH.
func promtool(t *testing.T, input io.Reader, args ...string) {
	t.Helper()
	name := os.Getenv("PROMTOOL")
	if name == "" {
		var err error
		if name, err = exec.LookPath("promtool"); err != nil {
			t.Skip("there is no promtool: install the package prometheus of Debian, or say in PROMTOOL where it is")
		}
	}
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdin = input
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

func TestPromtoolMetrics(t *testing.T) {
	for name, h := range map[string]http.Handler{
		"busy": Handler(busy(t)),
		"new":  Handler(Config{Node: &fakeNode{self: testSelf(t)}}),
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
			promtool(t, w.Body, "check", "metrics")
		})
	}
}

func TestPromtoolRules(t *testing.T) {
	promtool(t, nil, "check", "rules", filepath.Join(dashboards, "alerts.yml"))
}

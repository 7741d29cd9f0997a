package bolt

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/discv5/host/sdk"
	"github.com/discv5/host/sdk/sdktest"
)

// serveOrTest serves the plugin when the test binary is started as one.
func serveOrTest(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "serve" {
		sdk.Serve(Plugin())
	}
	os.Exit(m.Run())
}

func TestConformance(t *testing.T) { sdktest.Conformance(t, sdktest.Source{New: Plugin}) }

// As a process it is killed, too, and must have kept what it acknowledged.
func TestConformanceOfTheProcess(t *testing.T) {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	sdktest.Conformance(t, sdktest.Source{Path: path, Args: []string{"serve"}, Env: []string{"GORACE=atexit_sleep_ms=0"}})
}

func TestWrongConfiguration(t *testing.T) {
	for _, test := range []struct {
		config map[string]any
		says   string
	}{
		{map[string]any{"path": ""}, "path"},
		{map[string]any{"lock_wait": "2h"}, "lock_wait"},
		{map[string]any{"lock_wait": "-1s"}, "lock_wait"},
		{map[string]any{"max_size_mb": -1}, "max_size_mb"},
	} {
		_, err := sdktest.Try(t, sdktest.Source{New: Plugin}, sdktest.Config(test.config))
		if err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%v: %v", test.config, err)
		}
	}
}

func TestTwoHosts(t *testing.T) {
	path := t.TempDir() + "/deep/er/store.db"
	config := sdktest.Config(map[string]any{"path": path, "lock_wait": "10ms"})
	first := sdktest.Start(t, Plugin(), config)
	if err := first.Store().Put(context.Background(), []sdk.Entry{entry("a", "1", 1)}); err != nil {
		t.Fatal(err)
	}
	if _, err := sdktest.Try(t, sdktest.Source{New: Plugin}, config); err == nil || !strings.Contains(err.Error(), "two hosts cannot share") {
		t.Error("a second host:", err)
	}
	first.Stop()
	second := sdktest.Start(t, Plugin(), config)
	found, err := second.Store().Get(context.Background(), [][]byte{[]byte("a")})
	if err != nil || len(found) != 1 {
		t.Error("after the first host has stopped:", found, err)
	}
}

func TestRepairedFileIsDegraded(t *testing.T) {
	f, content := filled(t)
	f.write(content[:len(content)/2])
	p := sdktest.Start(t, Plugin(), sdktest.Config(map[string]any{"path": f.path}))
	if health := p.Health(); !strings.HasPrefix(health, "degraded: ") || !strings.Contains(health, "store.db.damaged-") {
		t.Error("health says", health)
	}
}

package main

import (
	"fmt"
	"os"
	"testing"

	"github.com/discv5/host/examples/plugins/internal/servers"
	"github.com/discv5/host/sdk/sdktest"
)

func TestMain(m *testing.M) {
	status := m.Run()
	servers.Forget()
	os.Exit(status)
}

// at is a config block for a server, whose socket is in a folder.
func at(dir string, more ...any) map[string]any {
	block := map[string]any{"url": fmt.Sprintf("postgres:///postgres?host=%s&user=discv5&sslmode=disable", dir)}
	for i := 0; i+1 < len(more); i += 2 {
		block[more[i].(string)] = more[i+1]
	}
	return block
}

func TestConformance(t *testing.T) {
	s := servers.Postgres(t)
	sdktest.Conformance(t, sdktest.Source{New: newPlugin, Config: at(s.Dir)})
}

func TestFaults(t *testing.T) {
	s := servers.Postgres(t)
	p := s.Through()
	sdktest.StoreFaults(t, sdktest.Source{New: newPlugin, Config: at(p.Dir)}, servers.Backend{Server: s, Proxy: p})
}

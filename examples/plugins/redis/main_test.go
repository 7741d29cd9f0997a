package main

import (
	"testing"

	"github.com/discv5/host/examples/plugins/internal/servers"
	"github.com/discv5/host/sdk/sdktest"
)

// at is a config block for a server.
func at(socket string, more ...any) map[string]any {
	block := map[string]any{"addresses": []string{"unix:" + socket}}
	for i := 0; i+1 < len(more); i += 2 {
		block[more[i].(string)] = more[i+1]
	}
	return block
}

func TestConformance(t *testing.T) {
	s := servers.Redis(t)
	sdktest.Conformance(t, sdktest.Source{New: newPlugin, Config: at(s.Socket)})
}

func TestFaults(t *testing.T) {
	s := servers.Redis(t)
	p := s.Through()
	sdktest.StoreFaults(t, sdktest.Source{New: newPlugin, Config: at(p.Socket)}, servers.Backend{Server: s, Proxy: p})
}

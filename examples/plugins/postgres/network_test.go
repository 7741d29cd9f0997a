package main

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/discv5/host/examples/plugins/internal/servers"
	"github.com/discv5/host/sdk"
	"github.com/discv5/host/sdk/sdktest"
)

// With sslmode=verify-full nobody is spoken to who is not the database.
func TestEncryption(t *testing.T) {
	cert, key := servers.Certificate(t)
	port := servers.FreePort(t)
	servers.Postgres(t, "listen_addresses=127.0.0.1", "port="+port, "ssl=on", "ssl_cert_file="+cert, "ssl_key_file="+key)
	block := func(host, more string) map[string]any {
		return map[string]any{"url": fmt.Sprintf("postgres://discv5@%s:%s/postgres?%s", host, port, more), "timeout": "2s"}
	}
	put := func(config map[string]any) error {
		p := sdktest.Start(t, newPlugin(), sdktest.Config(config)) // waits, as for a database that is down
		return p.Store().Put(context.Background(), []sdk.Entry{{Key: []byte("a"), Version: 1}})
	}
	must(t, put(block("localhost", "sslmode=verify-full&sslrootcert="+cert)))
	other, _ := servers.Certificate(t)
	for what, config := range map[string]map[string]any{
		"an authority that nobody knows": block("localhost", "sslmode=verify-full"),
		"another authority":              block("localhost", "sslmode=verify-full&sslrootcert="+other),
	} {
		if err := put(config); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("%s: a put says %v", what, err)
		}
	}
}

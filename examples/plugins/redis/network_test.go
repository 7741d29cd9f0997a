package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/discv5/host/examples/plugins/internal/servers"
	"github.com/discv5/host/sdk"
	"github.com/discv5/host/sdk/sdktest"
	"github.com/redis/go-redis/v9"
)

// All keys of a prefix are in one slot of a Cluster.
func TestConformanceOfACluster(t *testing.T) {
	port := servers.FreePort(t)
	server := servers.Redis(t, "--port", port, "--bind", "127.0.0.1", "--cluster-enabled", "yes", "--cluster-port", servers.FreePort(t))
	c := raw(t, server.Socket)
	must(t, c.Do(context.Background(), "CLUSTER", "ADDSLOTSRANGE", 0, 16383).Err())
	cluster := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{"127.0.0.1:" + port}, DisableIdentity: true})
	defer cluster.Close()
	timer := time.NewTimer(20 * time.Second)
	defer timer.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for up := false; !up; { // it takes the cluster some time to believe in itself
		info, err := cluster.ClusterInfo(context.Background()).Result()
		up = err == nil && strings.Contains(info, "cluster_state:ok")
		select {
		case <-timer.C:
			t.Fatalf("the cluster is not up: %v\n%s", err, info)
		case <-tick.C:
		}
	}
	sdktest.Conformance(t, sdktest.Source{New: newPlugin, Config: map[string]any{"addresses": []string{"127.0.0.1:" + port}, "cluster": true}})
}

func TestEncryption(t *testing.T) {
	cert, key := servers.Certificate(t)
	port := servers.FreePort(t)
	servers.Redis(t, "--tls-port", port, "--bind", "127.0.0.1", "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert, "--tls-auth-clients", "yes")
	block := func(tls map[string]any) map[string]any {
		return map[string]any{"addresses": []string{"127.0.0.1:" + port}, "timeout": "2s", "tls": tls}
	}
	good := sdktest.Start(t, newPlugin(), sdktest.Config(block(map[string]any{"ca_file": cert, "cert_file": cert, "key_file": key, "server_name": "localhost"})))
	must(t, good.Store().Put(context.Background(), []sdk.Entry{entry("a", "x", 1, time.Time{})}))
	for what, tls := range map[string]map[string]any{
		"an authority that nobody knows": {"cert_file": cert, "key_file": key},
		"another name":                   {"ca_file": cert, "cert_file": cert, "key_file": key, "server_name": "example.org"},
		"no certificate of ours":         {"ca_file": cert},
	} {
		p := sdktest.Start(t, newPlugin(), sdktest.Config(block(tls))) // waits, as for a server that is down
		if err := p.Store().Put(context.Background(), []sdk.Entry{entry("a", "x", 1, time.Time{})}); err == nil {
			t.Errorf("%s: a put went well", what)
		}
	}
}

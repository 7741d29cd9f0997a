package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Connections of one host: the store makes one call at a time, beside two watches and the sweeper.
const maxConnections = 8

// connect returns a client. It connects at the first call, and again after a failure; how often it is called is up to the host, which
// waits longer and longer while calls fail.
func connect(c *config, log hclog.Logger) (redis.UniversalClient, error) {
	encryption, err := c.TLS.config()
	if err != nil {
		return nil, err
	}
	redis.SetLogger(quiet{log})
	o := &redis.UniversalOptions{
		IsClusterMode: c.Cluster, MasterName: c.Master, DB: c.Database,
		Username: c.Username, Password: strings.TrimRight(c.Password, "\r\n"), SentinelPassword: strings.TrimRight(c.Sentinel, "\r\n"),
		TLSConfig: encryption, ClientName: "discv5-host",
		DialTimeout: c.Timeout, ReadTimeout: c.Timeout, WriteTimeout: c.Timeout, ContextTimeoutEnabled: true,
		DialerRetries: 1, MaxRetries: 1, MinRetryBackoff: 20 * time.Millisecond, MaxRetryBackoff: 200 * time.Millisecond,
		PoolSize: maxConnections, MaxActiveConns: maxConnections,
		DisableIdentity:          true, // older servers know no such command
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	for _, a := range c.Addresses {
		o.Addrs = append(o.Addrs, strings.TrimPrefix(a, unixScheme)) // what begins with / is a socket
	}
	return redis.NewUniversalClient(o), nil
}

// quiet takes the client's own messages, which repeat the errors of calls.
type quiet struct{ log hclog.Logger }

// Printf logs for those who look closely.
func (q quiet) Printf(_ context.Context, format string, args ...any) {
	if q.log.IsDebug() {
		q.log.Debug("redis client", "detail", fmt.Sprintf(format, args...))
	}
}

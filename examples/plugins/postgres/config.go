package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// config is the plugin's config block.
type config struct {
	URL      string        `hcl:"url" secret:"true" doc:"where the database is, as postgres://user@host:5432/database?sslmode=verify-full or as key=value words"`
	Password string        `hcl:"password,optional" secret:"true" doc:"password of the user; take it from a file or a variable"`
	Schema   string        `hcl:"schema,optional" doc:"the schema of the tables; hosts with the same one share what they remember"`
	Timeout  time.Duration `hcl:"timeout,optional" doc:"how long to wait for a connection"`
	Migrate  bool          `hcl:"migrate,optional" doc:"make the tables and bring them to the newest version"`
	Poll     time.Duration `hcl:"poll,optional" doc:"how often a database without notifications is asked for changes"`
}

func defaults() config {
	return config{Schema: "discv5host", Timeout: 3 * time.Second, Migrate: true, Poll: 500 * time.Millisecond}
}

var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// Validate says what is wrong with the configuration.
func (c *config) Validate() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.URL == "" {
		wrong("url is empty: write postgres://user@host:5432/database")
	} else if _, err := c.pool(); err != nil {
		wrong("url: %w", err)
	}
	if !schemaName.MatchString(c.Schema) || strings.HasPrefix(c.Schema, "pg_") {
		wrong("schema is %q; it is made of a-z, 0-9 and _", c.Schema)
	}
	if c.Timeout < 10*time.Millisecond || c.Timeout > time.Minute {
		wrong("timeout is %s; 10ms to 1m is possible", c.Timeout)
	}
	if c.Poll < 50*time.Millisecond || c.Poll > time.Minute {
		wrong("poll is %s; 50ms to 1m is possible", c.Poll)
	}
	return errors.Join(errs...)
}

// maxConnections of one host: the store makes one call at a time, beside two watches and the removal of what has expired. A
// watch has one more for notifications.
const maxConnections = 4

// pool is the configuration of the connections. What of it may be a secret does not appear in the error.
func (c *config) pool() (*pgxpool.Config, error) {
	p, err := pgxpool.ParseConfig(c.URL)
	if err != nil {
		return nil, errors.New("it cannot be understood: write postgres://user@host:5432/database?sslmode=verify-full")
	}
	if c.Password != "" {
		p.ConnConfig.Password = strings.TrimRight(c.Password, "\r\n")
	}
	p.ConnConfig.ConnectTimeout = c.Timeout
	if p.ConnConfig.RuntimeParams["application_name"] == "" {
		p.ConnConfig.RuntimeParams["application_name"] = "discv5-host"
	}
	p.MaxConns, p.MinConns, p.MinIdleConns = maxConnections, 0, 0
	p.MaxConnIdleTime, p.HealthCheckPeriod = 5*time.Minute, time.Minute
	return p, nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// errUnchecked says that the database has not answered yet.
var errUnchecked = errors.New("the database has not been reached yet")

// open makes the pool. It connects at the first call, and again after a failure; how often it is called is up to the host, which waits
// longer and longer while calls fail.
func (s *store) open(ctx context.Context) error {
	settings, err := s.config.pool()
	if err != nil {
		return fmt.Errorf("url: %w", err)
	}
	s.schema, s.refused = s.config.Schema, errUnchecked
	s.pool, err = pgxpool.NewWithConfig(ctx, settings)
	return err
}

// exposed tells whether what we say to the database may go over a network as it is.
func exposed(c *pgx.ConnConfig) bool {
	found := c.TLSConfig == nil && !local(c.Host)
	for _, f := range c.Fallbacks {
		found = found || f.TLSConfig == nil && !local(f.Host)
	}
	return found
}

// local tells whether a host is this machine: a folder of sockets, or its own address.
func local(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") || host == "localhost" || err == nil && ip.IsLoopback()
}

// usable tells whether the tables can be used; a database that was down at the start is checked when it is back.
func (s *store) usable(ctx context.Context) error {
	s.mu.Lock()
	refused := s.refused
	s.mu.Unlock()
	if refused == nil {
		return nil
	}
	return s.check(ctx)
}

// check looks at the database and its tables.
func (s *store) check(ctx context.Context) error {
	var version string
	err := s.pool.QueryRow(ctx, "SELECT version()").Scan(&version)
	if err == nil {
		s.mu.Lock()
		s.polls = strings.Contains(version, "CockroachDB") // which has neither LISTEN nor advisory locks
		s.mu.Unlock()
		err = s.prepare(ctx, s.config.Migrate)
	}
	if err != nil && ctx.Err() != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = err
	return err
}

// silent tells whether the database has no notifications.
func (s *store) silent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.polls
}

// channel is where changes are told.
func (s *store) channel() string { return s.schema + "_changes" }

// denied tells whether the database refuses us, which waiting does not change.
func denied(err error) bool {
	switch code(err) {
	case "28P01", "28000", "3D000", "42501": // password, authorization, no such database, privileges
		return true
	}
	return errors.Is(err, errNewer) || errors.Is(err, errOlder) || errors.Is(err, errForeign)
}

// healthTime is how long the database may take to show that it is there: less than the host waits for us.
const healthTime = 2 * time.Second

// health says whether the store works.
func (s *store) health(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	if err := s.usable(ctx); err != nil {
		return err
	}
	if err := s.pool.Ping(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writing != nil {
		return fmt.Errorf("the last write failed: %w", s.writing)
	}
	return nil
}

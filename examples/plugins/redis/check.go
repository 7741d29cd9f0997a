package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// layoutVersion is the version of the layout in the server. To change the layout: raise it, and say in the README how to move what is
// stored (host store export and import, with --all).
const layoutVersion = 1

// errLayout says that the prefix belongs to a layout that this version does not know.
var errLayout = errors.New("unknown layout")

// errUnchecked says that the server has not answered yet.
var errUnchecked = errors.New("the server has not been reached yet")

// usable tells whether the store can be used; a server that was down at the start is checked when it is back.
func (s *store) usable(ctx context.Context) error {
	s.mu.Lock()
	refused := s.refused
	s.mu.Unlock()
	if refused == nil {
		return nil
	}
	return s.check(ctx)
}

// check looks at the version of the layout, and claims the prefix if nobody has.
func (s *store) check(ctx context.Context) error {
	err := s.checkLayout(ctx)
	if err == nil && s.strict {
		err = s.checkDurability(ctx)
	}
	if err != nil && ctx.Err() != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = err
	return err
}

func (s *store) checkLayout(ctx context.Context) error {
	if err := s.client.SetNX(ctx, s.keys.schema, layoutVersion, 0).Err(); err != nil {
		return err
	}
	text, err := s.client.Get(ctx, s.keys.schema).Result()
	if err != nil {
		return err
	}
	if version, err := strconv.Atoi(text); err != nil || version != layoutVersion {
		return fmt.Errorf("%w: %s is %.20q, and this version knows %d: use the version of the plugin that wrote it, or another prefix",
			errLayout, s.keys.schema, text, layoutVersion)
	}
	return nil
}

// errLoses says that the server may lose what it acknowledged.
var errLoses = errors.New("the server may lose what it acknowledged")

// checkDurability looks at settings of the server. One that does not tell them is not judged.
func (s *store) checkDurability(ctx context.Context) error {
	var wrong []string
	for _, want := range []struct {
		name, advice string
		good         func(value string) bool
	}{
		{"appendonly", "appendonly yes", func(v string) bool { return v == "yes" }},
		{"appendfsync", "appendfsync always", func(v string) bool { return v == "always" }},
		{"maxmemory-policy", "maxmemory-policy noeviction", func(v string) bool { return !strings.HasPrefix(v, "allkeys-") }},
	} {
		settings, err := s.client.ConfigGet(ctx, want.name).Result()
		if err != nil {
			return nil // many services do not allow it
		}
		if value, told := settings[want.name]; told && !want.good(value) {
			wrong = append(wrong, fmt.Sprintf("%q is %s", want.name, value)+", set "+want.advice)
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", errLoses, strings.Join(wrong, "; "))
}

// healthTime is how long the server may take to show that it is there: less than the host waits for us.
const healthTime = 2 * time.Second

// health says whether the store works.
func (s *store) health(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	if err := s.usable(ctx); err != nil {
		return err
	}
	if err := s.client.Ping(ctx).Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writing != nil {
		return fmt.Errorf("the last write failed: %w", s.writing)
	}
	return nil
}

// denied tells whether the server refuses us, which waiting does not change.
func denied(err error) bool {
	if err == nil {
		return false
	}
	for _, code := range []string{"WRONGPASS", "NOAUTH", "NOPERM"} {
		if strings.Contains(err.Error(), code) {
			return true
		}
	}
	return false
}

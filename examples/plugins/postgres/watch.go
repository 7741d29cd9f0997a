package main

import (
	"context"
	"fmt"
	"time"

	"github.com/discv5/host/sdk"
	"github.com/jackc/pgx/v5"
)

const (
	// overlap is how much later than its time a transaction may become visible and still be told.
	overlap = 5 * time.Second
	// watchPage is how many changes are read at a time, and watchChunk how many of their values.
	watchPage  = 4096
	watchChunk = 256
	// listenPoll is how often changes are looked for without a notification.
	listenPoll = 5 * time.Second
	// maxWatchPause bounds the pause between attempts while the database does not answer.
	maxWatchPause = 5 * time.Second
)

// change is a row that somebody else wrote.
type change struct {
	key []byte
	at  time.Time
}

// place is how far a watch has read.
type place struct {
	at   time.Time
	seen map[string]time.Time // the changes of the overlap that were told
}

// Watch reads what has changed since the call. It survives a database that is away for a while.
func (s *store) Watch(ctx context.Context, prefix []byte, changed func([]sdk.Entry)) error {
	p := place{seen: make(map[string]time.Time)}
	err := s.usable(ctx)
	if err == nil {
		err = s.pool.QueryRow(ctx, "SELECT now()").Scan(&p.at)
	}
	if err == nil { // what is in the overlap already is none of our business
		_, err = s.changes(ctx, &p, prefix)
	}
	if err != nil {
		return fmt.Errorf("postgres: watch: %w", err)
	}
	wake, every := make(chan struct{}, 1), s.config.Poll
	if !s.silent() {
		every = listenPoll
		listening, cancel := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() { defer close(done); s.listen(listening, wake) }()
		defer func() { cancel(); <-done }()
	}
	for pause := every; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-wake:
		case <-time.After(pause):
		}
		entries, err := s.news(ctx, &p, prefix)
		if err != nil {
			pause = min(max(2*pause, 50*time.Millisecond), maxWatchPause)
			continue
		}
		pause = every
		if len(entries) > 0 {
			changed(entries)
		}
	}
}

// news reads the entries that others have changed since the last call. What was read is forgotten when a part of it fails.
func (s *store) news(ctx context.Context, p *place, prefix []byte) (entries []sdk.Entry, err error) {
	next := place{at: p.at, seen: make(map[string]time.Time, len(p.seen))}
	for key, at := range p.seen {
		next.seen[key] = at
	}
	rows, err := s.changes(ctx, &next, prefix)
	if err != nil {
		return nil, err
	}
	for len(rows) > 0 {
		n := min(len(rows), watchChunk)
		keys := make([][]byte, n)
		for i, c := range rows[:n] {
			keys[i] = c.key
		}
		rows = rows[n:]
		found, err := s.rows(ctx, n*(sdk.MaxKey+sdk.MaxValue), "SELECT "+entryColumns+" FROM SCHEMA.entries WHERE key = ANY($1) AND "+present, keys)
		if err != nil {
			return nil, err
		}
		entries = append(entries, found...)
	}
	*p = next
	return entries, nil
}

// changes reads which rows others have changed and moves the place.
func (s *store) changes(ctx context.Context, p *place, prefix []byte) (fresh []change, err error) {
	from := change{at: p.at.Add(-overlap), key: []byte{}}
	for {
		rows, err := s.pool.Query(ctx, s.sql(`SELECT key, changed FROM SCHEMA.entries
WHERE changed >= $1 AND (changed, key) > ($1, $2) AND writer <> $3 AND key >= $4 AND ($5::bytea IS NULL OR key < $5) ORDER BY changed, key LIMIT $6`),
			from.at, from.key, s.self, notNil(prefix), behind(prefix), watchPage)
		if err != nil {
			return nil, err
		}
		page, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c change, err error) {
			err = row.Scan(&c.key, &c.at)
			return c, err
		})
		if err != nil {
			return nil, err
		}
		for _, c := range page {
			if !p.seen[string(c.key)].Equal(c.at) {
				p.seen[string(c.key)] = c.at
				fresh = append(fresh, c)
			}
			p.at = later(p.at, c.at)
		}
		if len(page) < watchPage {
			break
		}
		from = page[len(page)-1]
	}
	for key, at := range p.seen {
		if at.Before(p.at.Add(-overlap)) {
			delete(p.seen, key)
		}
	}
	return fresh, nil
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// listen wakes a watch up at each notification of others, and when it listens again after a pause. It ends with ctx.
func (s *store) listen(ctx context.Context, wake chan<- struct{}) {
	pause := 50 * time.Millisecond
	for ctx.Err() == nil {
		begin := time.Now()
		_ = s.listenOnce(ctx, wake) // the watch goes on without, and says so if it cannot
		if time.Since(begin) > maxWatchPause {
			pause = 50 * time.Millisecond
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, maxWatchPause)
	}
}

func (s *store) listenOnce(ctx context.Context, wake chan<- struct{}) error {
	settings, err := s.config.pool()
	if err != nil {
		return err
	}
	conn, err := pgx.ConnectConfig(ctx, settings.ConnConfig)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{s.channel()}.Sanitize()); err != nil {
		return err
	}
	for {
		select {
		case wake <- struct{}{}:
		default:
		}
		n, err := conn.WaitForNotification(ctx)
		for err == nil && n.Payload == s.self {
			n, err = conn.WaitForNotification(ctx)
		}
		if err != nil {
			return err
		}
	}
}

package main

import (
	"context"
	"fmt"
	"slices"
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
	// callTime bounds a statement that no call of the host bounds: one on a connection whose other end is gone would wait for a
	// quarter of an hour.
	callTime = 10 * time.Second
	// lookPause is how long a watch waits after a look, so that many hosts that write all the time are not looked at all the time.
	lookPause = 100 * time.Millisecond
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
	p, err := s.begin(ctx, prefix)
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
		told, err := s.news(ctx, p, prefix, changed)
		if err == nil && told == 0 {
			err = s.back(ctx, p)
		}
		if err != nil {
			pause = min(max(2*pause, 50*time.Millisecond), maxWatchPause)
			continue
		}
		pause = every
		select {
		case <-ctx.Done():
		case <-time.After(lookPause):
		}
	}
}

// begin returns the place of now. What is in the overlap already is none of our business.
func (s *store) begin(ctx context.Context, prefix []byte) (*place, error) {
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	p := &place{seen: make(map[string]time.Time)}
	limited, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	if err := s.pool.QueryRow(limited, "SELECT now()").Scan(&p.at); err != nil {
		return nil, err
	}
	start := p.at
	if _, err := s.changes(ctx, p, prefix, func([]change) error { return nil }); err != nil {
		return nil, err
	}
	for key, at := range p.seen {
		if at.After(start) {
			delete(p.seen, key)
		}
	}
	p.at = start
	return p, nil
}

// news tells of the entries that others have changed since the last call. What it has told stays told when a later part fails.
func (s *store) news(ctx context.Context, p *place, prefix []byte, changed func([]sdk.Entry)) (told int, err error) {
	return s.changes(ctx, p, prefix, func(chunk []change) error {
		keys := make([][]byte, len(chunk))
		for i, c := range chunk {
			keys[i] = c.key
		}
		limited, cancel := context.WithTimeout(ctx, callTime)
		defer cancel()
		found, err := s.rows(limited, len(keys)*(sdk.MaxKey+sdk.MaxValue), "SELECT "+entryColumns+" FROM SCHEMA.entries WHERE key = ANY($1) AND "+present, keys)
		if err == nil && len(found) > 0 {
			changed(found)
		}
		return err
	})
}

// back moves the place back when the database's clock was: what is written then has times before the place.
func (s *store) back(ctx context.Context, p *place) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	var now time.Time
	err := s.pool.QueryRow(ctx, "SELECT now()").Scan(&now)
	if err == nil && now.Before(p.at) {
		p.at = now
	}
	return err
}

// changes calls tell with the rows that others have changed, watchChunk at a time, and moves the place behind them. However many there
// are, because the database was away or somebody imports, one page of them is held. told is how many.
func (s *store) changes(ctx context.Context, p *place, prefix []byte, tell func([]change) error) (told int, err error) {
	from := change{at: p.at.Add(-overlap), key: []byte{}}
	for {
		page, err := s.changed(ctx, from, prefix)
		if err != nil {
			return told, err
		}
		var fresh []change
		for _, c := range page {
			if !p.seen[string(c.key)].Equal(c.at) {
				fresh = append(fresh, c)
			}
		}
		for chunk := range slices.Chunk(fresh, watchChunk) {
			if err := tell(chunk); err != nil {
				return told, err
			}
			told += len(chunk)
			for _, c := range chunk {
				p.seen[string(c.key)] = c.at
			}
		}
		if len(page) > 0 {
			from = page[len(page)-1]
			p.at = later(p.at, from.at)
		}
		for key, at := range p.seen {
			if at.Before(p.at.Add(-overlap)) {
				delete(p.seen, key)
			}
		}
		if len(page) < watchPage {
			return told, nil
		}
	}
}

// changed reads a page of the rows that others have changed. Those of the future are from before the clock was set back.
func (s *store) changed(ctx context.Context, from change, prefix []byte) ([]change, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	rows, err := s.pool.Query(ctx, s.sql(`SELECT key, changed FROM SCHEMA.entries
WHERE changed >= $1 AND changed <= now() AND (changed, key) > ($1, $2) AND writer <> $3 AND key >= $4 AND ($5::bytea IS NULL OR key < $5) ORDER BY changed, key LIMIT $6`),
		from.at, from.key, s.self, notNil(prefix), behind(prefix), watchPage)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (c change, err error) {
		err = row.Scan(&c.key, &c.at)
		return c, err
	})
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
	limited, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	if _, err := conn.Exec(limited, "LISTEN "+pgx.Identifier{s.channel()}.Sanitize()); err != nil {
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

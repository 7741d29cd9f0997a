package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/discv5/host/sdk"
	"github.com/jackc/pgx/v5/pgxpool"
)

// store is a shared store. It is safe for concurrent use.
type store struct {
	pool   *pgxpool.Pool
	schema string
	self   string // our name as a writer
	config *config

	mu      sync.Mutex // a leaf
	polls   bool       // the database has no notifications; known when refused is nil
	refused error      // the tables cannot be used, or are not known to be usable
	writing error      // of the last write
}

// putSQL stores entries whose version is at least the stored one. What only expires later has not changed. It tells the others.
const putSQL = `
WITH put AS (
	INSERT INTO SCHEMA.entries AS old
		(key, version, expires, value, changed, writer, node, ip, port, fork_digest, enr, first_seen, last_seen, rtt_ms, checks)
	SELECT t.k, t.ver::numeric, t.exp, t.val, now(), $1, t.node, t.ip, t.port, t.fork, t.enr, t.first, t.last, t.rtt, t.checks
	FROM unnest($2::bytea[], $3::text[], $4::timestamptz[], $5::bytea[], $6::text[], $7::text[], $8::int4[], $9::text[], $10::text[],
		$11::timestamptz[], $12::timestamptz[], $13::float8[], $14::int4[])
		AS t (k, ver, exp, val, node, ip, port, fork, enr, first, last, rtt, checks)
	ON CONFLICT (key) DO UPDATE SET
		version = excluded.version, expires = excluded.expires, value = excluded.value,
		changed = CASE WHEN old.version = excluded.version AND old.value = excluded.value AND (old.expires IS NULL OR old.expires > now())
			THEN old.changed ELSE excluded.changed END,
		writer = CASE WHEN old.version = excluded.version AND old.value = excluded.value AND (old.expires IS NULL OR old.expires > now())
			THEN old.writer ELSE excluded.writer END,
		node = excluded.node, ip = excluded.ip, port = excluded.port, fork_digest = excluded.fork_digest, enr = excluded.enr,
		first_seen = excluded.first_seen, last_seen = excluded.last_seen, rtt_ms = excluded.rtt_ms, checks = excluded.checks
	WHERE old.version <= excluded.version OR old.expires <= now()
	RETURNING (changed = now()) AS new
)`

const (
	tellSQL  = `SELECT pg_notify($15, $1) FROM put WHERE new LIMIT 1`
	countSQL = `SELECT count(*) FROM put`
)

// Put stores entries with one statement.
func (s *store) Put(ctx context.Context, entries []sdk.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	rows := newRows(sorted(entries, time.Now()))
	return s.write(ctx, "put", func(ctx context.Context) error {
		args := append([]any{s.self}, rows...)
		if s.silent() {
			return s.exec(ctx, putSQL+countSQL, args...)
		}
		return s.exec(ctx, putSQL+tellSQL, append(args, s.channel())...)
	})
}

// newRows makes the arrays of putSQL.
func newRows(entries []sdk.Entry) []any {
	n := len(entries)
	keys, values := make([][]byte, n), make([][]byte, n)
	versions, expires := make([]string, n), make([]*time.Time, n)
	nodes, ips, forks, enrs := make([]*string, n), make([]*string, n), make([]*string, n), make([]*string, n)
	ports, checks := make([]*int32, n), make([]*int32, n)
	firsts, lasts, rtts := make([]*time.Time, n), make([]*time.Time, n), make([]*float64, n)
	for i, e := range entries {
		c := columnsOf(e)
		keys[i], versions[i], expires[i], values[i] = e.Key, versionText(e.Version), expiry(e.Expires), notNil(e.Value)
		nodes[i], ips[i], ports[i], forks[i], enrs[i] = c.node, c.ip, c.port, c.forkDigest, c.enr
		firsts[i], lasts[i], rtts[i], checks[i] = c.firstSeen, c.lastSeen, c.rtt, c.checks
	}
	return []any{keys, versions, expires, values, nodes, ips, ports, forks, enrs, firsts, lasts, rtts, checks}
}

func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// Delete removes entries with one statement, which locks them in the order of their keys.
func (s *store) Delete(ctx context.Context, entries []sdk.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	entries = doomed(entries)
	keys, versions := make([][]byte, len(entries)), make([]string, len(entries))
	for i, e := range entries {
		keys[i], versions[i] = e.Key, versionText(e.Version)
	}
	return s.write(ctx, "delete", func(ctx context.Context) error {
		return s.exec(ctx, `
DELETE FROM SCHEMA.entries WHERE key IN (
	SELECT e.key FROM SCHEMA.entries AS e JOIN unnest($1::bytea[], $2::text[]) AS t (k, ver) ON e.key = t.k
	WHERE e.version <= t.ver::numeric ORDER BY e.key FOR UPDATE)`, keys, versions)
	})
}

// write makes a change, and remembers how it went.
func (s *store) write(ctx context.Context, what string, change func(context.Context) error) error {
	err := s.usable(ctx)
	if err == nil {
		err = s.attempts(ctx, change)
	}
	if code(err) == "25006" { // read_only_sql_transaction: another server may have become the primary
		s.pool.Reset()
	}
	if err != nil {
		err = fmt.Errorf("postgres: %s: %w", what, err)
	}
	if err == nil || ctx.Err() == nil {
		s.mu.Lock()
		s.writing = err
		s.mu.Unlock()
	}
	return err
}

// maxAttempts bounds how often a transaction is tried that lost against another one.
const maxAttempts = 5

// attempts tries again what lost against another transaction: serialization_failure, deadlock_detected, and what happens when two
// make the tables without a lock: unique_violation, duplicate_schema, duplicate_table.
func (s *store) attempts(ctx context.Context, do func(context.Context) error) (err error) {
	for try := range maxAttempts {
		if err = do(ctx); err == nil {
			return nil
		}
		switch code(err) {
		case "40001", "40P01", "23505", "42P06", "42P07":
		default:
			return err
		}
		select {
		case <-time.After(rand.N(time.Duration(try+1) * 50 * time.Millisecond)):
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		}
	}
	return err
}

// sql puts the name of the schema in the place of SCHEMA.
func (s *store) sql(text string) string { return strings.ReplaceAll(text, "SCHEMA.", s.quoted()+".") }

func (s *store) exec(ctx context.Context, sql string, args ...any) error {
	_, err := s.pool.Exec(ctx, s.sql(sql), args...)
	return err
}

// present is the condition of rows that have not expired.
const present = "(expires IS NULL OR expires > now())"

// Get reads keys with one statement.
func (s *store) Get(ctx context.Context, keys [][]byte) (found []sdk.Entry, err error) {
	if len(keys) == 0 {
		return nil, nil
	}
	all, err := s.query(ctx, "get", "SELECT "+entryColumns+" FROM SCHEMA.entries WHERE key = ANY($1) AND "+present, keys)
	if err != nil {
		return nil, err
	}
	byKey := make(map[string]sdk.Entry, len(all))
	for _, e := range all {
		byKey[string(e.Key)] = e
	}
	for _, key := range keys {
		if e, ok := byKey[string(key)]; ok {
			found = append(found, e)
		}
	}
	return found, nil
}

// Scan reads rows in the order of keys.
func (s *store) Scan(ctx context.Context, prefix, after []byte, limit int) ([]sdk.Entry, error) {
	return s.query(ctx, "scan", "SELECT "+entryColumns+` FROM SCHEMA.entries
WHERE key >= $1 AND key > $2 AND ($3::bytea IS NULL OR key < $3) AND `+present+" ORDER BY key LIMIT $4",
		notNil(prefix), notNil(after), behind(prefix), limit)
}

// query reads entries, and stops when a batch is full.
func (s *store) query(ctx context.Context, what, sql string, args ...any) (found []sdk.Entry, err error) {
	err = s.usable(ctx)
	if err == nil {
		err = s.attempts(ctx, func(ctx context.Context) error {
			found, err = s.rows(ctx, sdk.MaxBatch, sql, args...)
			return err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("postgres: %s: %w", what, err)
	}
	return found, nil
}

// rows reads entries until they have more bytes than most.
func (s *store) rows(ctx context.Context, most int, sql string, args ...any) (found []sdk.Entry, err error) {
	rows, err := s.pool.Query(ctx, s.sql(sql), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for size := 0; size <= most && rows.Next(); {
		e, err := scanEntry(rows)
		if err != nil {
			return nil, err
		}
		size += len(e.Key) + len(e.Value)
		found = append(found, e)
	}
	rows.Close()
	return found, rows.Err()
}

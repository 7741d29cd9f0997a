package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// To change the tables: append a migration, never change one, and a test to schema_test.go. SQL must run on PostgreSQL 12 and on CockroachDB.

// migrations[i] leads from version i to i+1. The newest version is their number. SCHEMA stands for the configured name.
var migrations = []string{`
CREATE TABLE SCHEMA.entries (
	key         bytea       PRIMARY KEY,
	version     numeric(20) NOT NULL,    -- of a node's record its sequence number, of a contact its Unix milliseconds
	expires     timestamptz,             -- from then on the row counts as absent; NULL: never
	value       bytea       NOT NULL,    -- what the host wrote, byte for byte
	changed     timestamptz NOT NULL,    -- of the transaction that changed version or value last
	writer      text        NOT NULL,    -- the process that did so
	node        text,                    -- id in hex, of nodes and contacts
	ip          text,
	port        integer,                 -- UDP
	fork_digest text,                    -- 4 bytes in hex: of the consensus layer, otherwise of the execution layer
	enr         text,                    -- of nodes
	first_seen  timestamptz,             -- of contacts
	last_seen   timestamptz,             -- of contacts
	rtt_ms      double precision,        -- of contacts
	checks      integer                  -- of contacts: answers in a row
);
CREATE INDEX entries_expires ON SCHEMA.entries (expires);
CREATE INDEX entries_changed ON SCHEMA.entries (changed);
CREATE INDEX entries_node ON SCHEMA.entries (node);
CREATE INDEX entries_fork_digest ON SCHEMA.entries (fork_digest);
CREATE VIEW SCHEMA.nodes AS
SELECT n.node AS id, n.version AS seq, COALESCE(s.ip, n.ip) AS ip, COALESCE(s.port, n.port) AS port, n.fork_digest,
	s.first_seen, s.last_seen, s.rtt_ms, s.checks, n.enr
FROM SCHEMA.entries AS n
LEFT JOIN SCHEMA.entries AS s ON s.node = n.node AND s.last_seen IS NOT NULL AND (s.expires IS NULL OR s.expires > now())
WHERE n.enr IS NOT NULL AND (n.expires IS NULL OR n.expires > now());
`}

var (
	// errNewer says that a newer version of the plugin made the tables.
	errNewer = errors.New("a newer version of the plugin made the tables; use that one, or another schema")
	// errOlder says that the tables are of an older version, or not there, and may not be changed.
	errOlder = errors.New("the tables are not there or of an older version, and migrate is false; set it to true once, with a user who may make tables")
	// errForeign says that the schema has tables of somebody else.
	errForeign = errors.New("the schema has tables of somebody else; use another schema")
)

// prepare makes the tables, or brings them to the newest version. A host that starts at the same time waits.
func (s *store) prepare(ctx context.Context, migrate bool) error {
	return s.attempts(ctx, func(ctx context.Context) error {
		return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			if !s.silent() {
				if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtext($1))", "discv5host "+s.schema); err != nil {
					return err
				}
			}
			version, err := s.version(ctx, tx)
			if err != nil {
				return err
			}
			switch newest := len(migrations); {
			case version > newest:
				return fmt.Errorf("%w: they have version %d, and %d is the newest known", errNewer, version, newest)
			case version == newest:
				return nil
			case !migrate:
				return fmt.Errorf("%w: version %d, and %d is needed", errOlder, version, newest)
			}
			return s.migrate(ctx, tx, version)
		})
	})
}

// version returns the version of the tables, 0 without any.
func (s *store) version(ctx context.Context, tx pgx.Tx) (version int, err error) {
	var tables int
	err = tx.QueryRow(ctx, `SELECT count(*) FROM information_schema.tables WHERE table_schema = $1 AND table_name = 'layout'`, s.schema).Scan(&tables)
	if err != nil || tables == 0 {
		return 0, err
	}
	err = tx.QueryRow(ctx, strings.ReplaceAll(`SELECT max(version) FROM SCHEMA.layout WHERE owner = 'discv5host store'`, "SCHEMA.", s.quoted()+".")).Scan(&version)
	if err != nil {
		return 0, fmt.Errorf("%w: its table layout cannot be read: %w", errForeign, err)
	}
	return version, nil
}

func (s *store) migrate(ctx context.Context, tx pgx.Tx, version int) error {
	do := func(sql string, args ...any) error {
		_, err := tx.Exec(ctx, strings.ReplaceAll(sql, "SCHEMA.", s.quoted()+"."), args...)
		return err
	}
	if version == 0 {
		if err := s.makeLayout(ctx, tx, do); err != nil {
			return err
		}
	}
	for i, sql := range migrations[version:] {
		for statement := range strings.SplitSeq(sql, ";\n") {
			if strings.TrimSpace(statement) == "" {
				continue
			}
			if err := do(statement); err != nil {
				if code(err) == "42P07" { // duplicate_table
					return fmt.Errorf("%w: %w", errForeign, err)
				}
				return fmt.Errorf("migration to version %d: %w", version+i+1, err)
			}
		}
	}
	return do("UPDATE SCHEMA.layout SET version = $1 WHERE owner = 'discv5host store'", len(migrations))
}

// makeLayout makes the schema, unless somebody did so for us, and the table that has its version.
func (s *store) makeLayout(ctx context.Context, tx pgx.Tx, do func(string, ...any) error) error {
	var there int
	if err := tx.QueryRow(ctx, `SELECT count(*) FROM information_schema.schemata WHERE schema_name = $1`, s.schema).Scan(&there); err != nil {
		return err
	}
	if there == 0 {
		if err := do("CREATE SCHEMA " + s.quoted()); err != nil {
			return err
		}
	}
	if err := do("CREATE TABLE SCHEMA.layout (owner text PRIMARY KEY, version integer NOT NULL)"); err != nil {
		return err
	}
	return do("INSERT INTO SCHEMA.layout VALUES ('discv5host store', 0)")
}

func (s *store) quoted() string { return pgx.Identifier{s.schema}.Sanitize() }

// code returns the SQLSTATE of an error.
func code(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

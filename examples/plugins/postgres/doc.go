// Command postgres is a store plugin for fleets: hosts that share one PostgreSQL, or a database that speaks its SQL, remember together,
// and people can query the nodes.
//
// # Layout
//
//   - main.go: the plugin: start, health, end; config.go: its config block; connect.go: how it connects
//   - schema.go: tables, their versions and migrations
//   - store.go: put, get, scan, delete; row.go: an entry as a row; columns.go: what people can query
//   - watch.go: what other hosts store
//   - expire.go: removal of what has expired
//
// # Layout in the database
//
// A schema of its own with the table entries, where each key is a row with version, expiry and value; those of nodes and contacts have columns
// for people beside it. The view nodes has a row for each node. The table layout has the version of all that. Times are the
// database's: hosts may disagree about the clock.
//
// # Watching
//
// Each change has the time of its transaction and its writer. A watch reads what is newer than what it read last, and a little more (overlap),
// because transactions become visible later than their time. A notification wakes it up; where there are none, as in CockroachDB,
// it looks twice a second. What it reads it tells in chunks, so that a long absence costs no memory.
//
// # Goroutines and ownership
//
// Calls come from goroutines of package sdk. A watch runs in the goroutine of its call, with one for the notifications. The removal of what has
// expired has its own, which Drain ends and waits for.
//
// # Limits
//
// maxConnections of one host, callTime for statements of its own, watchPage changes read at a time and watchChunk of their values, expireBatch rows removed at a time, maxAttempts of a transaction that lost
// against others.
package main

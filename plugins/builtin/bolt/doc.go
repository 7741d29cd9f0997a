// Package bolt is the bundled store: one bbolt file on a local disk, for one host.
//
// # Layout
//
//   - plugin.go: the plugin: configuration, start, health, end
//   - entries.go: put, get, scan, delete
//   - encoding.go: how an entry lies in the file
//   - sweep.go: removal of what has expired
//   - file.go: opening; disk_unix.go and disk_windows.go: what differs between systems; schema.go: versions of the file's layout; rescue.go: damaged files; compact.go: files that are mostly free
//
// # The file
//
// Three buckets. meta says what the file is: its owner's name and the version of its layout. entries maps a key to its version,
// expiry, value and checksum. expiry lists the keys that expire in the order of their time, so that a sweep reads only those that
// are due.
//
// A put or delete of a whole batch is one transaction, on the disk when it returns. The file does not shrink while it is in
// use: what is deleted is used again. At the start, a file of which more than half is free is copied and replaced.
//
// # What goes wrong with files
//
//   - Another process has it open: refused after lock_wait. Two hosts cannot share it.
//   - It is something else, or of a newer version: refused, and not touched.
//   - It is of an older version: migrated, after a copy was made beside it (<path>.v1).
//   - It is damaged: moved to <path>.damaged-<time>, and everything in it that can still be read goes to a new file. Health tells so
//     until the plugin is started again. Three such files at most are kept; a fourth is refused, because the disk fails.
//   - Damage met while it is in use fails calls and health, so that the host starts the plugin again, which then repairs it.
//   - The disk is full: puts fail, health says so, reads go on.
//
// # Goroutines and ownership
//
// Calls come from one goroutine of package sdk. The sweeper has one of its own, which Drain ends and waits for. bbolt serializes
// their transactions.
//
// # Limits
//
// max_size_mb bounds the file, compactMost what is copied at the start, maxDamaged the damaged files that are kept, sweepBatch the removals of one transaction.
package bolt

// Package record owns the local node record: its fields and their owners, sequence number, signature and file.
//
// # Layout
//
//   - local.go: Local, Open and Update
//   - change.go: Change, a batch of fields, and its rules
//   - build.go: from fields to a signed record, with the size checked first
//   - file.go: the record's file, read with suspicion and replaced as a whole
//   - usage.go: Usage, who takes how much of the record
//   - errors.go: what callers can tell apart
//
// # Sequence number
//
// A record whose content is that of the published one keeps its sequence number; a batch of changes that makes a
// difference adds one. The number never repeats with another content and never goes back: a record is in its file,
// and the file safe on the disk, before anybody gets to see it. When the file is missing or damaged although the
// key is an old one, the number starts at the Unix time in milliseconds, beyond whatever had been published; a new
// key starts at one.
//
// # Goroutines and ownership
//
// Open and Update write files and wait for the disk: they are called by one goroutine at a time, and not by one
// that answers packets. Self may be called by anybody at any time without a lock. Nothing here starts a goroutine.
//
// # Errors
//
// An error changes nothing: neither the fields nor what is published. Only ErrNotSaved leaves a trace: Degraded
// reports it until a write succeeds.
//
// # Limits
//
// A record has at most 300 bytes, seq and signature included. A file above MaxFile bytes is not a record.
//
// # Specification
//
// EIP-778, Ethereum Node Records, with the "v4" identity scheme.
package record

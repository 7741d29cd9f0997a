// Package limit decides how much work one source of packets, and all of them together, may cause.
//
// # Layout
//
//   - bucket.go: Rate and Bucket, one token bucket in eight bytes
//   - source.go: Source, what counts as one sender, and Exempt, whom no limit applies to
//   - sources.go: Sources, a bounded set of buckets, one per source
//
// # Goroutines and ownership
//
// Nothing here starts a goroutine or takes a lock. A Bucket or a Sources belongs to the one goroutine that
// calls it; Rate and Source are plain values.
//
// # Limits
//
// Sources holds at most the number of buckets it was made for (DefaultSources unless told otherwise) and
// forgets the least recently seen source first. After it has filled up, not even a flood of new sources
// makes it allocate.
package limit

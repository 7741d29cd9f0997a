// Command redis is a store plugin for fleets: hosts that share one Redis or Valkey remember together.
//
// # Layout
//
//   - main.go: the plugin: start, health, end; config.go: its config block; connect.go: how it connects
//   - store.go: put, get, scan, delete; scripts.go: the Lua scripts behind them; encoding.go: how an entry lies in the server
//   - watch.go: what other hosts store
//   - sweep.go: the index without what has expired
//   - check.go: the version of the layout, and settings of the server that lose data
//
// # Layout in the server
//
// All keys begin with {PREFIX}, a hash tag: a Cluster keeps them on one node, which is what makes scripts and scans whole. Different
// fleets have different prefixes.
//
//	{PREFIX}:schema     the version of this layout
//	{PREFIX}:e:KEY      an entry: version and expiry, 8 bytes each, then the value; its TTL is the expiry
//	{PREFIX}:index      the keys of all entries as a sorted set with equal scores, which is ordered by bytes
//	{PREFIX}:changes    a stream of keys that changed, with the instance that changed them; it is trimmed to maxChanges batches
//	{PREFIX}:sweeping   held by the instance that removes expired keys from the index
//
// # Goroutines and ownership
//
// Calls come from goroutines of package sdk. A watch runs in the goroutine of its call. The sweeper has
// its own, which Drain ends and waits for.
//
// # Limits
//
// maxChanges and changeKeys bound the stream, sweepBatch and scanChunk what one command reads. What the server holds is bounded by its maxmemory.
package main

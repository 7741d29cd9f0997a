// Package plugins runs the plugins of a host: it starts their processes, asks what they are, configures them, watches them,
// replaces and ends them, and is to core the handler, filter or store that they are.
//
// # Layout
//
//   - config.go: a Config with its Blocks, and what is wrong with one
//   - set.go: the Set of all plugins: New, Run, Close, commands
//   - keeper.go: one plugin block for as long as it exists: its state, its commands, its end
//   - incarnation.go: one process of it, from its start to its drain
//   - replace.go: one incarnation after another without losing a request
//   - slot.go: the filter and the store that core has, whoever serves them; slot_watch.go: what a store tells of others
//   - stages.go: where a filter is asked
//   - methods.go: what operators may call of plugins
//   - protocols.go: which plugin serves which TALK protocol
//   - describe.go: what a program says about itself, without running it; store_alone.go: a store without a host
//   - status.go, metrics.go: what operators see
//
// internal/process starts and ends processes, internal/link speaks with them, internal/supervise decides when they are started
// again. builtin has the bundled plugins.
//
// # Goroutines and ownership
//
// Each block has one goroutine, its keeper, from Run to Close. It alone changes the block's state and starts and ends its
// processes; commands are functions that it runs. Beside it there may be one goroutine that asks for its health, and one for each
// incarnation that is drained after another took its place. Close waits for all of them.
//
// # Errors
//
// New reports everything that is wrong with a Config, joined. Commands return what went wrong; ErrUnknown names no plugin,
// ErrClosed says that the set is closed. A plugin that fails is no error of the set: its Status says what happened.
//
// # Limits
//
// A plugin has 10 s to say where it listens, 5 s to describe itself, 30 s to be configured. At the start of the host a talk
// plugin waits up to 2 s for those before it in the configuration, which have the first choice of protocols. Its health is asked for every 5 s;
// three failures in a row, or 15 s without an answer, restart it; so does a talk plugin that owes all its responses and says nothing
// for 15 s. It has 2 s to drain, and is killed half a second after it was told to end. Close
// takes 4 s at most. A call of a plugin's method ends after 30 s; 16 may be open at one plugin. At most 64 plugins.
package plugins

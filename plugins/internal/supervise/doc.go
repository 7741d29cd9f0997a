// Package supervise decides when a plugin is started again. It is a state machine and a policy: values with methods that take the
// time, without goroutines, processes or clocks.
//
// # Layout
//
//   - state.go: the states and what leads from one to another
//   - machine.go: the machine of one plugin, with its restart policy
//   - health.go: how often a plugin may fail to say that it is well
//
// # Goroutines and ownership
//
// There are none. A value belongs to the goroutine that supervises the plugin.
//
// # Limits
//
// A plugin that crashed is started again after 500 ms, twice that after the next crash and so on, up to a minute, each
// spread by a quarter. After 2 min without a crash all is forgotten. With the fifth crash in 10 min it is disabled.
package supervise

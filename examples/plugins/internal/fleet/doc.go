// Package fleet has tests alone: hosts with real stores, their plugins as processes of their own and the servers behind them.
//
// They need the Go command, to build the plugins. FLEET_KILLS is how often each of them is killed (10), FLEET_NODES how many nodes a store
// has that is loaded (10000).
package fleet

// Package daemon runs a node for an operator: it turns a configuration into a [core.Node] with an identity and a place on the
// disk, logs what happens to it, and ends it when told to.
//
// # Layout
//
//   - daemon.go: Run; host.go: the parts of a running host, from the first file to the clean stop
//   - identity.go: the data folder, its lock, the key; fresh.go: whether the key has been seen by anybody
//   - endpoint.go: whether the published record leads to the node
//   - settings.go: the configuration as core understands it; bans.go: its bans
//   - plugins.go: the plugin blocks as package plugins understands them
//   - admin.go: who may ask and steer; fields.go: the fields that they give the record
//   - reload.go: taking over what changed; watch.go: when a file did
//   - life.go: the log of the node's life; systemd.go: what the service manager hears
//   - mapping.go: the port mapping, when one is asked for
//   - errno_*.go, advice.go: what to do about a socket that cannot be opened
//
// # Goroutines and ownership
//
// Run itself follows the node's events. A reload is a goroutine while it lasts; reloads wait for each other. With a port mapping there
// is one goroutine more, which takes over the addresses that the mapper finds; with a service manager that watches one that
// tells it that the node answers; with watch_config one that watches the files. Run waits for all but the last two.
//
// # Errors
//
// Everything that keeps the node from starting is returned with a hint. What happens later is logged, and the node runs on.
package daemon

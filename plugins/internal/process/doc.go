// Package process runs one incarnation of a plugin: it starts the program through go-plugin, watches it, keeps what it says,
// and ends it without leaving anything behind.
//
// # Layout
//
//   - process.go: Start, Stop and the connection
//   - connection.go, address.go: the bounds of the connection that go-plugin makes, and where it may lead
//   - runner.go: the runner.Runner that go-plugin drives, and the end of a process
//   - command_*.go: what differs between systems: process groups, death with the host, signals
//   - image.go, image_*.go: which bytes are executed, and the check of a pinned SHA-256
//   - flow.go: how fast what a plugin writes is read
//   - journal.go, entry.go: what a plugin writes, as lines, in the host's log
//   - rundir.go, remove.go: the directory of each incarnation, whose it is, and its end
//   - sweep.go: what a host that was killed left behind
//   - proc_*.go, usage.go: what a system tells about its processes
//   - errors.go: why a plugin did not start
//
// # Goroutines and ownership
//
// Each process has a goroutine that started it, waits for it and reaps it (on Linux it is locked to its thread, because the
// death of that thread is what the kernel tells the plugin), and one reader for each of its two pipes. go-plugin adds its
// own. All of them are gone when Stop returns.
//
// # Errors
//
// Start returns a *StartError: which of the named errors it is, what to do about it, and the plugin's last words. Its Refused
// says that trying again is pointless.
//
// # Limits
//
//   - a plugin has 10 s to say where it listens, in a first line of at most 4 KiB
//   - lines are cut at 64 KiB; 100 of them a second reach the log, with a burst of 1000, and 64 KiB a second, with a burst of
//     1 MiB, at most 4 KiB of one; the rest is counted, and told every 10 s
//   - the last 20 lines, at most 4 KiB of them, are kept
//   - output beyond 4 MiB/s, with a burst of 16 MiB, makes the plugin wait; a line counts 512 bytes more
//   - its directory is removed within 500 ms; what is left then is for Sweep, which takes 5 s at most
//   - pipes that a descendant keeps open are closed 200 ms after the process has ended
//   - gRPC messages have at most 4 MiB, their headers 64 KiB
package process

// Package cli is the command line of host: its commands, how they report and how they end.
//
// # Layout
//
// Main runs one command line and returns the exit status. Each command stands in the file of its name; root.go joins them,
// report.go prints errors, output.go notices when results cannot be written. client.go is what the commands share that ask the network as
// a node of their own, remote.go what those share that talk to a running host. sheet.go prints tables, ids.go says how ids are written,
// advice.go writes commands in place of a host's methods. Results go to stdout, everything else (logs, notes, errors) to stderr.
//
// # Errors
//
// A failure reads "host: what failed", then "hint: what to do" where something can be done. The exit status is 0 for
// success, 1 for failure, 2 for a command line that cannot be understood. An argument that is no node record is the latter,
// except for host enr, which is asked what it is.
//
// A result that cannot be written is a failure of every command, and ends it.
//
// # To add a command
//
// Write its constructor in a file of its name, add it in root.go, and a script in cmd/host/testdata/script that runs it as
// an operator would, mistakes included.
package cli

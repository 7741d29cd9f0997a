//go:build !linux

package process

// identifiesStart says that identify does not tell a process from a later one of the same number.
const identifiesStart = false

// usage is not told here.
func usage(int) (Usage, bool) { return Usage{}, false }

// killMarked kills nobody: the environment of other processes cannot be read.
func killMarked(map[string]bool) int { return 0 }

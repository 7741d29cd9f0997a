//go:build !unix

package plainfile

// dontWait is nothing: opening a file never waits here.
const dontWait = 0

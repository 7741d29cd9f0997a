// Package lockfile keeps a second host out of a data folder.
//
// # Layout
//
// The lock is one the operating system holds for the process on an open file: flock on Unix, LockFileEx on Windows. It ends
// with the process, however that ends, so a file that was left behind locks nothing. The file holds the process id of its
// owner, for the error of whoever comes second. It stays when the lock is released: removing it would let two processes
// lock two files of one name.
//
// # Errors
//
// ErrHeld says that another process has the lock; it carries a hint, like every error of this package.
package lockfile

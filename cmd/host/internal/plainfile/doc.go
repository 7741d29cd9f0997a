// Package plainfile reads the files that an operator names, small ones and nothing but files, and makes those that take their
// place. Opening a named pipe would wait for somebody to write into it, a terminal for somebody to type. The pipes of a shell, which
// are given by descriptor and have a writer, are read by ReadGiven alone.
//
// # Goroutines and ownership
//
// ReadGiven reads a pipe on a goroutine of its own, which ends with it; where the system cannot end a read of a pipe, it ends
// when the writer does.
//
// # Errors
//
// ErrNotRegular says what is there instead of a file, ErrTooLarge that it is not the file that was meant. Everything else is
// what the operating system says.
package plainfile

// Package plainfile reads the files that an operator names: small ones, and nothing but files. Opening a named pipe would wait
// for somebody to write into it, a terminal for somebody to type.
//
// # Errors
//
// ErrNotRegular says what is there instead of a file, ErrTooLarge that it is not the file that was meant. Everything else is
// what the operating system says.
package plainfile

// Package hint attaches advice to errors: what failed stays in the error, what to do about it travels beside it.
//
// # Errors
//
// A hint never changes an error's text or its chain: errors.Is and errors.As see through it. The command line prints the
// error after "host: " and the hint after "hint: ".
package hint

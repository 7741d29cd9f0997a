// Package nearest finds the word that was meant by one that is misspelt.
//
// # Limits
//
// Words longer than maxWord bytes are near to nothing.
package nearest

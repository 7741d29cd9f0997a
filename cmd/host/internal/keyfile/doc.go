// Package keyfile reads and makes the file that holds a node's private key.
//
// # Layout
//
// The file is text: 64 hex digits (32 bytes, a secp256k1 scalar) and a newline, the form geth's nodekey has. Surrounding
// white space and a 0x prefix are accepted when reading.
//
// # Errors
//
// Every error names the path and carries a hint; none contains a byte of the key. A missing file is fs.ErrNotExist, an
// existing one that was to be made is fs.ErrExist. On Unix a file that anybody but its owner can read is refused.
//
// # Limits
//
// At most 1 KiB is read.
package keyfile

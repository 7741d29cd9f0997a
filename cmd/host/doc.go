// Command host is a node of Ethereum's discovery network (Node Discovery v5.1).
//
// # Layout
//
// main hands the command line to internal/cli, which has one file per command. The other internal packages are what the
// commands are made of: config (settings), daemon (host run), devnet (host dev), networks, keyfile, lockfile, portmap,
// logging and hint. The scripts in testdata/script run the commands as an operator does.
package main

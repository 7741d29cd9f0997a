// Package networks knows where to enter Ethereum's public discovery networks.
//
// # Layout
//
// Bootnodes joins two published lists per network: the records in go-ethereum's params package (execution layer and
// V5Bootnodes) and those in records/, which the maintainers of the network publish for the consensus layer. Both layers
// share one discovery network.
//
// # To add a network
//
// Put its records in records/<name>.txt and its entry in the table in networks.go; the test verifies every signature.
package networks

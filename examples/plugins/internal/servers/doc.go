// Package servers starts database servers for tests, and harms them.
//
// Each test has servers of its own, in a folder of its own, that listen on Unix sockets. They end with the test, or with its process
// if that is killed. Where a program is missing the test is skipped, and the reason says how to install it.
//
// # Layout
//
//   - server.go: a server's process: start, kill, freeze
//   - redis.go, postgres.go: which process that is
//   - proxy.go: a way to a server that can be cut and slowed down; certificate.go: for servers that encrypt
package servers

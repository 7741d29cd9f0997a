// Package echo is the bundled talk plugin: it answers each request of the protocol "echo" with the request's payload, so that an operator
// can see TALK at work between two hosts.
package echo

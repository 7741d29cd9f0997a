// Command echo is the smallest talk plugin: it answers each request of the protocol "echo" with the request's payload.
package main

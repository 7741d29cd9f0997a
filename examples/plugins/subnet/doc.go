// Command subnet is a filter plugin that remembers: it accepts at most so many nodes of one network of addresses.
package main

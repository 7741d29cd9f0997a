// Package subject reads whom a ban is for: a node, or a range of addresses.
package subject

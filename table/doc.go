// Package table is the Kademlia part of node discovery as plain values: the routing table with its address limits and
// revalidation policy, and the state machine of a lookup.
//
// The host keeps the main network in one Table; a sub-protocol that runs an overlay of its own keeps another one, with
// its own distance functions if it needs them.
//
// # Layout
//
//   - config.go, entry.go: Config, Limits, Candidate, Entry, Result.
//   - table.go: Table, adding and removing. tree.go: the tree of buckets. limits.go: address budgets.
//   - closest.go, sample.go: the closest nodes, the nodes at log distances, random nodes.
//   - revalidate.go, queue.go: who is checked when, and what an answer or a failure does.
//   - lookup.go, contacts.go: Lookup, events in and requests out.
//   - ids.go: distances and ids.
//
// # Goroutines and ownership
//
// There is no goroutine, no clock and no lock here. Time is an argument. A Table and a Lookup belong to one owner at a
// time; methods that only read use scratch space too, so even readers must not run together. Entries belong to the
// table: others read them, until the next call that changes the table. Distance functions and predicates must not call
// back into the table or lookup.
//
// # Limits
//
//   - A bucket has at most Config.BucketSize entries and Config.Replacements replacements; a tree has at most
//     256/BitsPerHop · 2^BitsPerHop buckets, about 1,600 with the defaults.
//   - Addresses: Limits, over entries and replacements.
//   - A lookup asks at most LookupConfig.MaxAsked nodes, takes MaxAnswerNodes nodes of an answer and knows at most
//     MaxContacts nodes.
//
// # Specification
//
// discv5-theory.md, "Node Table" and "Lookup"; discv5-wire.md, "FINDNODE Request". DESIGN.md in this folder says where
// and why the rules here are narrower.
package table

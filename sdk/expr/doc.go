// Package expr is the language of filter expressions: CEL, the Common Expression Language, over a
// node record.
//
//	enr.has("eth2") && fork("mainnet").accepts(enr) && !ip.in("10.0.0.0/8") && enr.cgc >= 8
//
// # Layout
//
// Compile reads an expression and returns a Program, which a filter plugin asks about each node:
//
//	p, err := expr.Compile(text)
//	…
//	sdk.FilterFunc(p.Match)
//
// README.md describes the language; its tables are written by Reference, and a test compares them.
//
// # Meaning of what is absent
//
// A field that a record does not have, or that cannot be decoded, is absent, for a reason. To read
// it is an error of CEL, and an expression that ends in an error does not match. The error does not
// reach as far as that where another operand decides: true || error is true, false && error is
// false. So
//
//	enr.cgc >= 8                         is false without cgc
//	!(enr.cgc >= 8)                      is false without cgc, too
//	!enr.has("cgc") || enr.cgc >= 8      is true without cgc
//	enr.cgc >= 8 || enr.has("opstack")   is true with opstack, with or without cgc
//
// A verdict's reason is the field that decided: "cgc" if it is too small, "no_cgc" if it is absent,
// "bad_cgc" if it cannot be decoded, "no_match" if a part that reads several fields is false.
//
// # Goroutines and ownership
//
// A Program does not change and starts nothing; it may be used by any number of goroutines. Nodes
// are not changed. The outcome depends on the node, the expression and, where fork() is called, on
// the clock and the schedules, and on nothing else.
//
// # Errors
//
// Compile returns an *Error with the line and column of each mistake. An evaluation can fail only by
// arithmetic, such as a division by zero, by an index outside a list or by its cost; Eval returns that error, and the node
// does not match.
//
// # Limits
//
// An expression has at most 4,096 bytes, 50 levels, 2,000 parts and 20 loops, which stand at most 2
// deep; a regular expression is written out and has at most 256 bytes, and all have 2,000
// instructions. What an evaluation can cost is estimated at Compile, at most 200,000 steps; one that
// takes more than 20,000 fails, and the node does not match.
// Numbers above 2^63-1 read as that.
//
// # Specification
//
// CEL: github.com/google/cel-spec. Of its standard library, there are no times, types and dynamic
// values here.
// Fields: package fields. Forks: package forks.
package expr

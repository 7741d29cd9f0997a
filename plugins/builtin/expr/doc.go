// Package expr is the bundled filter plugin: an expression of the configuration decides about records.
//
//	plugin "filter" "mainnet" {
//	  source = "builtin:expr"
//	  config {
//	    expression = "enr.has(\"eth2\") && fork(\"mainnet\").accepts(enr)"
//	  }
//	}
//
// # Layout
//
// Package sdk/expr is the language, sdk/forks the schedules that fork() knows. What they need from a
// configuration is here.
//
// # Errors
//
// An expression with mistakes refuses the plugin, each mistake as "expression:line:column: what". A
// record of which the expression cannot be evaluated is rejected for the reason "error".
//
// # Limits
//
// Verdicts hold as long as the record stays the same, and those of an expression with fork() until
// the schedule may change them. Reasons are of a fixed set for each expression; package sdk/expr
// tells how they are made.
package expr

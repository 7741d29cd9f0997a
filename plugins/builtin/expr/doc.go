// Package expr is the bundled filter plugin: an expression of the configuration decides about records.
//
// # Expressions
//
//	true          every record
//	false         none
//	has("eth2")   records with a field of that name
package expr

// Package scaffold writes new plugins: a folder with a plugin that works, its test and a README, for an author to change.
//
// # Layout
//
// scaffold.go decides what goes where; module.go writes go.mod and go.sum. templates/go and templates/python have a folder for each kind, and what
// kinds have in common beside it. templates/python/shared is the same as in examples/plugins/echo-python, which a test holds.
package scaffold

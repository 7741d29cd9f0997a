// Package storefile moves what stores keep: to lines of JSON, from them, and into numbers.
//
// # Layout
//
//   - line.go: the lines; export.go: from a store; import.go: into one; stats.go: what is in one
//
// # The file
//
// Each line is an object. One with "enr" is a node: its record and what is known of the last contact with it. One with "key" is an entry of one
// host, which only that host can read. Unknown fields are ignored.
//
// # Errors
//
// A line that is wrong is counted, told with its number, and left out; the others are imported. A second import of the same file changes
// nothing.
//
// # Limits
//
// A line has at most maxLine bytes; entries are read and written pageSize at a time.
package storefile

// Package logging makes the logger that every part of the host writes to.
//
// # Layout
//
// New takes a destination, a level and a format; Levels and Formats name what it accepts. Text lines are for people (with
// colours on a terminal), JSON lines (hclog's keys @timestamp, @level, @message, @module) for machines.
package logging

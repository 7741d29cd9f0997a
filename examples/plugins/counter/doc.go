// Command counter is a talk plugin that uses its host: it counts who asks, keeps the counts over restarts, says in the host's record that
// it is there, and asks other counters that the host meets.
package main

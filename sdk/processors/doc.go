// Package processors lets the number of processors that the Go scheduler uses follow the work.
//
// One is the cheapest for a process that wakes up for some packets or a batch of small requests, answers, and sleeps again. With more
// of them the scheduler wakes a second thread each time, to look for work that there is not: in a host that serves TALK
// requests through a plugin that was an eighth of the CPU time, in the plugin a quarter. A process that is busy gets more of
// them within a tick.
//
// # Goroutines and ownership
//
// Follow starts one goroutine, which ends with its channel. The number belongs to the whole process: call Follow once, in its
// main program.
package processors

package process

import "time"

// Usage is what a process has taken.
type Usage struct {
	CPU time.Duration // of all of its threads, since its start
	RSS int64         // bytes of memory at present
}

package sdk

import (
	"os"
	"runtime"
	"time"
)

// How the number of processors follows the work.
const (
	processorsTick  = 500 * time.Millisecond
	processorsQuiet = 40 // ticks with little work until it is one again
)

// processors decides how many processors the Go scheduler uses. One is the cheapest for what most plugins do: wake up for a batch of
// small requests and answer it. With more of them the scheduler wakes a second thread each time, to look for work that there is not; that
// costs half as much again as the work. A plugin that keeps its processors busy gets more of them, within a tick.
type processors struct {
	count, most int
	quiet       int // ticks in a row
}

// next takes the CPU time that was used in a tick and returns how many processors to use from now on.
func (p *processors) next(used, tick time.Duration) int {
	share := float64(used) / float64(tick)
	switch {
	case share > 0.8*float64(p.count) && p.count < p.most:
		p.count, p.quiet = min(2*p.count, p.most), 0
	case share < 0.3 && p.count > 1:
		if p.quiet++; p.quiet >= processorsQuiet {
			p.count, p.quiet = 1, 0
		}
	default:
		p.quiet = 0
	}
	return p.count
}

// tuneProcessors adapts the number of processors until done is closed. It leaves it alone where GOMAXPROCS is set, and where the
// system does not tell how much CPU time was used.
func tuneProcessors(done <-chan struct{}) {
	last, ok := usedTime()
	if !ok || os.Getenv("GOMAXPROCS") != "" {
		return
	}
	p := processors{count: 1, most: runtime.GOMAXPROCS(0)}
	runtime.GOMAXPROCS(p.count)
	go func() {
		tick := time.NewTicker(processorsTick)
		defer tick.Stop()
		at := time.Now()
		for {
			select {
			case <-tick.C:
			case <-done:
				return
			}
			used, _ := usedTime()
			now := time.Now()
			if before, count := p.count, p.next(used-last, now.Sub(at)); count != before {
				runtime.GOMAXPROCS(count)
			}
			last, at = used, now
		}
	}()
}

package processors

import (
	"os"
	"runtime"
	"time"
)

// How the number follows the work.
const (
	tick  = 250 * time.Millisecond
	busy  = 0.85 // of what the processors can do: there should be more
	idle  = 0.75 // of one: one would do
	quiet = 8    // ticks in a row until it is one
)

// pool decides how many processors there should be.
type pool struct {
	count, most int
	quiet       int // ticks in a row
}

// next takes the CPU time that was used in a time and decides how many processors to use from now on. It reports whether that
// is a change.
func (p *pool) next(used, in time.Duration) (changed bool) {
	before := p.count
	share := float64(used) / float64(in)
	switch {
	case share > busy*float64(p.count) && p.count < p.most:
		p.count, p.quiet = min(2*p.count, p.most), 0
	case share < idle && p.count > 1:
		if p.quiet++; p.quiet >= quiet {
			p.count, p.quiet = 1, 0
		}
	default:
		p.quiet = 0
	}
	return p.count != before
}

// Follow adapts the number of processors until done is closed. A process begins with all of them, for what it has to do at its
// start, and has one after two seconds with little work. Follow leaves their number alone where GOMAXPROCS is set in the
// environment, and where the system does not tell how much CPU time was used.
func Follow(done <-chan struct{}) {
	last, ok := usedTime()
	if !ok || os.Getenv("GOMAXPROCS") != "" {
		return
	}
	p := pool{count: runtime.GOMAXPROCS(0), most: runtime.GOMAXPROCS(0)}
	go func() {
		ticker := time.NewTicker(tick)
		defer ticker.Stop()
		at := time.Now()
		for {
			select {
			case <-ticker.C:
			case <-done:
				return
			}
			used, _ := usedTime()
			now := time.Now()
			if p.next(used-last, now.Sub(at)) {
				runtime.GOMAXPROCS(p.count)
			}
			last, at = used, now
		}
	}()
}

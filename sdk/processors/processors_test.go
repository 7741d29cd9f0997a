package processors

import (
	"runtime"
	"testing"
	"time"
)

func TestProcessorsFollowTheWork(t *testing.T) {
	p := pool{count: 1, most: 6}
	ticks := func(n int, share float64) int {
		for range n {
			p.next(time.Duration(share*float64(tick)), tick)
		}
		return p.count
	}
	for _, step := range []struct {
		ticks int
		share float64 // of one processor
		want  int
		why   string
	}{
		{2 * quiet, 0.7, 1, "there is room on one"},
		{1, 0.9, 2, "one is busy"},
		{1, 1.9, 4, "two are busy"},
		{3, 4, 6, "there are no more"},
		{quiet - 1, 0.1, 6, "it was quiet for too short a time"},
		{1, 0.8, 6, "there was work"},
		{quiet, 0.1, 1, "it was quiet"},
	} {
		if got := ticks(step.ticks, step.share); got != step.want {
			t.Errorf("%d processors after %d ticks with a load of %.1f, want %d: %s", got, step.ticks, step.share, step.want, step.why)
		}
	}
}

// A process with nothing to do comes to one processor.
func TestFollow(t *testing.T) {
	if _, ok := usedTime(); !ok {
		t.Skip("this system does not tell how much CPU time was used")
	}
	all := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(all)
	t.Setenv("GOMAXPROCS", "")
	done := make(chan struct{})
	defer close(done)
	Follow(done)
	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	check := time.NewTicker(tick)
	defer check.Stop()
	for runtime.GOMAXPROCS(0) != 1 {
		select {
		case <-check.C:
		case <-limit.C:
			t.Fatalf("still %d processors after a minute", runtime.GOMAXPROCS(0))
		}
	}
}

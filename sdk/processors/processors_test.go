package processors

import (
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

package supervise

import (
	"fmt"
	"time"
)

// Health counts how often a plugin has failed to say that it is well. The zero values of its fields are the defaults.
type Health struct {
	Failures int           // that many in a row are too many; 3
	Silence  time.Duration // and so is no answer for that long; 15 s

	row  int
	last time.Time
}

// Begin starts the count when the plugin begins to serve.
func (h *Health) Begin(now time.Time) {
	orDefault(&h.Failures, 3)
	orDefault(&h.Silence, 15*time.Second)
	h.row, h.last = 0, now
}

// Answered notes an answer: well, or why not. It reports whether the plugin is to be restarted.
func (h *Health) Answered(now time.Time, failure string) (reason string, dead bool) {
	h.last = now
	if failure == "" {
		h.row = 0
		return "", false
	}
	h.row++
	return fmt.Sprintf("health: %s (%d in a row)", failure, h.row), h.row >= h.Failures
}

// Unanswered notes a call without an answer. It reports whether the plugin is to be restarted.
func (h *Health) Unanswered(now time.Time, failure string) (reason string, dead bool) {
	h.row++
	return fmt.Sprintf("health: no answer: %s (%d in a row)", failure, h.row), h.row >= h.Failures || now.Sub(h.last) >= h.Silence
}

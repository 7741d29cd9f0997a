package admin

import "sync/atomic"

// budget bounds the bytes of something that are held at a time, for all requests.
type budget struct {
	most int64
	used atomic.Int64
}

// hold is what one request holds of a budget. Several goroutines may take; nobody takes any more when release is called.
type hold struct {
	of   *budget
	held atomic.Int64
}

// take holds more bytes, and fails when nothing is left. The last one to succeed may take more than is left: what is too large to ever
// fit goes alone.
func (h *hold) take(bytes int) bool {
	n := int64(bytes)
	if h.of.used.Add(n)-n >= h.of.most {
		h.of.used.Add(-n)
		return false
	}
	h.held.Add(n)
	return true
}

// release gives back all. Calling it twice is harmless.
func (h *hold) release() { h.of.used.Add(-h.held.Swap(0)) }

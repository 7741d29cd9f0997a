package admin

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	maxReaders = 256 // readers of events
	// retryAfter is what readers are told to wait before they come back.
	retryAfter = 2 * time.Second
)

// streamEvents serves the events from now on, or from the one behind Last-Event-ID or the parameter after. The first event tells of a
// gap: what has left the ring, or happened in another run. A reader that the ring overtakes is dropped, and so is one that does not take
// what is sent.
//
// Before the first event, and while none of its types happens, a reader is sent ids alone, as the HTML standard has them: so it comes back
// to where it was, and hears of a gap, also when it has seen no event.
func (s *Server) streamEvents(w http.ResponseWriter, r *http.Request) {
	begin, position, err := s.cfg.Feed.resume(r)
	if err != nil {
		showError(w, http.StatusBadRequest, err.Error(), "use one that came with an event, or "+Oldest+" for all that are kept")
		return
	}
	types, problem := eventTypes(r.URL.Query().Get("types"))
	if problem != "" {
		showError(w, http.StatusBadRequest, problem, "there are "+strings.Join(EventTypes(), ", "))
		return
	}
	if s.readers.Add(1) > maxReaders {
		s.readers.Add(-1)
		showError(w, http.StatusServiceUnavailable, fmt.Sprintf("%d read the events already", maxReaders), "")
		return
	}
	defer s.readers.Add(-1)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	reader := reader{feed: s.cfg.Feed, w: w, control: http.NewResponseController(w), types: types, timeout: s.readerTimeout, position: position}
	if reader.run(r.Context(), begin) == errLate {
		s.dropped.Add(1)
		s.cfg.Log.Debug("a reader of events did not keep up")
	}
}

// resume finds where a reader goes on, and makes the beginning of its stream: its place, or what tells of a gap before it.
func (f *Feed) resume(r *http.Request) (begin []byte, position uint64, err error) {
	position = f.last()
	id := r.Header.Get("Last-Event-ID")
	if id == "" {
		id = r.URL.Query().Get("after")
	}
	begin = fmt.Appendf(nil, "retry: %d\n", retryAfter.Milliseconds())
	if id != "" {
		number, sameRun, err := f.parse(id)
		if err != nil {
			return nil, 0, err
		}
		position = number
		if _, lost, _ := f.after(nil, position, 0); lost > 0 || !sameRun {
			position += lost
			gap := Event{Type: EventsLost, Time: time.Now(), Lost: lost}
			return append(begin, frame(EventsLost, f.id(position), gap)...), position, nil
		}
	}
	return f.appendPlace(begin, position), position, nil
}

// eventTypes reads a list of types; nil: all.
func eventTypes(list string) (types []string, problem string) {
	if list == "" {
		return nil, ""
	}
	for t := range strings.SplitSeq(list, ",") {
		if !slices.Contains(EventTypes(), t) {
			return nil, fmt.Sprintf("there is no event type %q", t)
		}
		types = append(types, t)
	}
	return types, ""
}

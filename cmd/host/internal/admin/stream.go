package admin

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

const (
	maxReaders = 256 // readers of events
	// readerPause bounds how often a reader is woken: what happens meanwhile goes out together.
	readerPause = 100 * time.Millisecond
	// beatPause is how long a stream is silent before a comment shows that it lives.
	beatPause = 15 * time.Second
	// readerTimeout is how long a reader may take for what is sent to it.
	readerTimeout = 10 * time.Second
	// retryAfter is what readers are told to wait before they come back.
	retryAfter = 2 * time.Second
)

// streamEvents serves the events from now on, or from the one behind Last-Event-ID or the parameter after. The first event tells of a
// gap: what has left the ring, or happened in another run. A reader that the ring overtakes is dropped, and so is one that does not take what is sent.
func (s *Server) streamEvents(w http.ResponseWriter, r *http.Request) {
	feed := s.cfg.Feed
	position := feed.last()
	var gap []byte
	id := r.Header.Get("Last-Event-ID")
	if id == "" {
		id = r.URL.Query().Get("after")
	}
	if id != "" {
		number, sameRun, err := feed.parse(id)
		if err != nil {
			showError(w, http.StatusBadRequest, err.Error(), "use one that came with an event")
			return
		}
		position = number
		if _, lost, _ := feed.after(nil, position); lost > 0 || !sameRun {
			position += lost
			gap = frame(EventsLost, feed.id(position), Event{Type: EventsLost, Time: time.Now(), Lost: lost})
		}
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
	control := http.NewResponseController(w)
	send := func(text []byte) bool {
		err := control.SetWriteDeadline(time.Now().Add(s.readerTimeout))
		if err == nil {
			_, err = w.Write(text)
		}
		if err == nil {
			err = control.Flush()
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			s.dropReader()
		}
		return err == nil
	}
	if !send(append(fmt.Appendf(nil, "retry: %d\n\n", retryAfter.Milliseconds()), gap...)) {
		return
	}
	beat := time.NewTicker(beatPause)
	defer beat.Stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	var events []*entry
	var text []byte
	for {
		select {
		case <-pause.C:
		case <-r.Context().Done():
			return
		}
		var lost uint64
		var wake <-chan struct{}
		events, lost, wake = feed.after(events[:0], position)
		if lost > 0 {
			s.dropReader()
			return
		}
		text = text[:0]
		for _, e := range events {
			position = e.number
			if types == nil || slices.Contains(types, e.kind) {
				text = append(text, e.wire(feed)...)
			}
		}
		clear(events)
		switch {
		case wake != nil:
			select {
			case <-wake:
				pause.Reset(0)
				continue
			case <-beat.C:
				text = append(text, ":\n\n"...)
			case <-r.Context().Done():
				return
			}
			pause.Reset(0)
		default:
			pause.Reset(readerPause)
		}
		if len(text) > 0 && !send(text) {
			return
		}
	}
}

func (s *Server) dropReader() {
	s.dropped.Add(1)
	s.cfg.Log.Debug("a reader of events did not keep up")
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

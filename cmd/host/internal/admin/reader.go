package admin

import (
	"context"
	"errors"
	"net/http"
	"os"
	"slices"
	"time"
)

const (
	// readerTurn is how many events a reader takes at a time. They are the feed's own, in which all readers share the text.
	readerTurn = 64
	// readerPause bounds how often a reader is woken: what happens meanwhile goes out together.
	readerPause = 100 * time.Millisecond
	// beatPause is how long a stream is silent before its place shows that it lives.
	beatPause = 15 * time.Second
	// readerTimeout is how long a reader may take for what is sent to it.
	readerTimeout = 10 * time.Second
)

// errLate says that a reader did not keep up.
var errLate = errors.New("the reader is late")

// reader is somebody who reads events. It belongs to the goroutine of its request.
type reader struct {
	feed    *Feed
	w       http.ResponseWriter
	control *http.ResponseController
	types   []string // nil: all
	timeout time.Duration

	position uint64 // of the last event that was sent or passed over
}

// run sends the beginning and then events, until ctx ends or they cannot be sent.
func (r *reader) run(ctx context.Context, begin []byte) error {
	if err := r.send(begin); err != nil {
		return err
	}
	beat, pause := time.NewTicker(beatPause), time.NewTimer(0)
	defer beat.Stop()
	defer pause.Stop()
	turn := make([]*entry, 0, readerTurn)
	for {
		events, lost, wake := r.feed.after(turn, r.position, readerTurn)
		if lost > 0 {
			return errLate
		}
		sent, err := r.sendEvents(events)
		if err != nil {
			return err
		}
		if sent {
			beat.Reset(beatPause)
		}
		if len(events) == readerTurn && ctx.Err() == nil {
			continue // there are more
		}
		clear(turn[:len(events)]) // while it waits it keeps none of them
		var paused <-chan time.Time
		if wake == nil {
			pause.Reset(readerPause)
			paused = pause.C
		}
		select {
		case <-wake:
		case <-paused:
		case <-beat.C: // also of a reader that passes over all that happens
			err = r.send(r.feed.appendPlace(nil, r.position))
		case <-ctx.Done():
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
	}
}

// sendEvents sends those of the reader's types, and tells whether there was one.
func (r *reader) sendEvents(events []*entry) (sent bool, err error) {
	var parts [][]byte
	for _, e := range events {
		r.position = e.number
		if r.types == nil || slices.Contains(r.types, e.kind) {
			parts = append(parts, e.wire(r.feed))
		}
	}
	if len(parts) == 0 {
		return false, nil
	}
	return true, r.send(parts...)
}

// send sends texts within the reader's time.
func (r *reader) send(texts ...[]byte) error {
	err := r.control.SetWriteDeadline(time.Now().Add(r.timeout))
	for _, text := range texts {
		if err == nil {
			_, err = r.w.Write(text)
		}
	}
	if err == nil {
		err = r.control.Flush()
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errLate
	}
	return err
}

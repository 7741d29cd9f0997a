package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// maxEvent bounds the bytes of a line of a stream of events.
const maxEvent = 64 << 10

// Events calls each with what happens, until ctx ends, the host ends the stream, or each returns an error, which it returns; the end of
// the stream is io.EOF. after is the id of the last event that was seen, or Oldest; empty: only what happens from now on. No types: all.
// last is where to go on with after: it is known from the beginning of the stream, also when nothing has happened, and after when there
// was no stream.
func (c *Client) Events(ctx context.Context, after string, types []string, each func(id string, e Event) error) (last string, err error) {
	last = after
	query := url.Values{}
	if len(types) > 0 {
		query.Set("types", strings.Join(types, ","))
	}
	header := map[string]string{"Accept": "text/event-stream"}
	if after != "" {
		header["Last-Event-ID"] = after
	}
	response, err := c.do(ctx, http.MethodGet, eventsPath+"?"+query.Encode(), header, nil)
	if err != nil {
		return last, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		var text json.RawMessage
		if err := c.decode(response, &text); err != nil {
			return last, err
		}
		if err := shownError(response, text); err != nil {
			return last, err
		}
		return last, fmt.Errorf("the host answered with HTTP %d", response.StatusCode)
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, maxEvent)
	id := last
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "": // the end of an event, or of an id alone
			last = id
		case "id":
			id = value
		case "data":
			var e Event
			if err := json.Unmarshal([]byte(value), &e); err != nil {
				return last, fmt.Errorf("an event is not what was expected: %w", err)
			}
			if err := each(id, e); err != nil {
				return last, err
			}
		}
	}
	if ctx.Err() != nil {
		return last, ctx.Err()
	}
	if err := lines.Err(); err != nil {
		return last, fmt.Errorf("read events from %s: %w", c.where, err)
	}
	return last, io.EOF
}

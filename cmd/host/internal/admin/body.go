package admin

import (
	"errors"
	"fmt"
	"io"
	"net/http"
)

const (
	maxBodies = 16 << 20 // bytes of the bodies that are read or worked on
	minBody   = 4 << 10  // bytes that a body is read into at first
)

// readBody reads a body, or says what the answer is in place of one. It holds bytes as they come: a body that is announced and not sent
// takes nothing from others.
func readBody(from io.Reader, held *hold) (body []byte, status int, e *Error) {
	for {
		if len(body) == cap(body) {
			size := min(max(2*cap(body), minBody), maxBody+minBody)
			if !held.take(size - cap(body)) {
				what := fmt.Sprintf("requests of %d bytes are under way, and that is the most", maxBodies)
				return nil, http.StatusServiceUnavailable, fail(CodeLimit, what, "busy", "try again later")
			}
			body = append(make([]byte, 0, size), body...)
		}
		n, err := from.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch _, large := errors.AsType[*http.MaxBytesError](err); {
		case err == io.EOF:
			return body, 0, nil
		case large:
			return nil, http.StatusRequestEntityTooLarge, fail(CodeLimit, fmt.Sprintf("the request is longer than %d bytes", maxBody), "too_large", "")
		case err != nil:
			return nil, http.StatusBadRequest, fail(CodeParse, "the request could not be read", "", "")
		}
	}
}

package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/discv5/host/cmd/host/internal/nearest"
)

const (
	maxBatch    = 100     // calls of a batch
	batchAtOnce = 8       // of them, at a time
	maxAnswer   = 8 << 20 // bytes of the results of a batch, after which the rest fails
)

// call is a request of JSON-RPC.
type call struct {
	Version *string         `json:"jsonrpc"`
	Method  *string         `json:"method"`
	Params  json.RawMessage `json:"params"`
	ID      json.RawMessage `json:"id"`
}

// answer is a response of JSON-RPC.
type answer struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *Error          `json:"error,omitempty"`
}

var null = json.RawMessage("null")

func refused(id json.RawMessage, e *Error) *answer {
	return &answer{Version: "2.0", ID: id, Error: e}
}

func (s *Server) serveRPC(w http.ResponseWriter, r *http.Request) {
	bodies, results := hold{of: &s.bodies}, hold{of: &s.answers}
	defer bodies.release()
	defer results.release()
	body, status, e := readBody(r.Body, &bodies)
	if e != nil {
		if status == http.StatusServiceUnavailable {
			w.Header().Set("Connection", "close") // the rest of the body is not read
		}
		show(w, status, refused(null, e))
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // all is read, and a call may take a while
	ctx, cancel := context.WithTimeout(r.Context(), callTimeout)
	defer cancel()
	reply := s.reply(ctx, body, &results)
	bodies.release()
	if reply == nil {
		w.WriteHeader(http.StatusNoContent) // there were only notifications
		return
	}
	write(w, http.StatusOK, reply)
}

// reply does what a body asks for; nil: it wants no answer.
func (s *Server) reply(ctx context.Context, body []byte, results *hold) []byte {
	body = bytes.Trim(body, " \t\r\n")
	var reply any
	switch {
	case !json.Valid(body):
		err := json.Unmarshal(body, new(json.RawMessage)) // it says what is wrong
		reply = refused(null, fail(CodeParse, fmt.Sprintf("the request is not JSON: %v", err), "", ""))
	case body[0] == '[':
		reply = s.batch(ctx, body, results)
	default:
		if a := s.single(ctx, body, results); a != nil {
			reply = a
		}
	}
	if reply == nil {
		return nil
	}
	text, err := encode(reply)
	if err != nil {
		text, _ = encode(refused(null, fail(CodeInternal, "the answer cannot be shown: "+err.Error(), "", ""))) // text always can
	}
	return text
}

// batch makes the calls of a batch; nil says that none of them wants an answer.
func (s *Server) batch(ctx context.Context, body []byte, results *hold) any {
	calls := elements(body, maxBatch)
	switch {
	case len(calls) == 0:
		return refused(null, fail(CodeInvalidRequest, "the batch is empty", "", ""))
	case len(calls) > maxBatch:
		return refused(null, fail(CodeLimit, fmt.Sprintf("the batch has more than %d calls", maxBatch), "too_large", "send fewer calls at a time"))
	}
	answers := make([]*answer, len(calls))
	var next, size atomic.Int64
	var wg sync.WaitGroup
	for range min(batchAtOnce, len(calls)) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(calls)); i = next.Add(1) - 1 {
				if size.Load() > maxAnswer {
					answers[i] = refused(idOf(calls[i]), fail(CodeLimit, "the results of the batch are too large", "too_large", "send fewer calls at a time"))
					continue
				}
				if a := s.single(ctx, calls[i], results); a != nil {
					size.Add(int64(len(a.Result)))
					answers[i] = a
				}
			}
		})
	}
	wg.Wait()
	answers = slices.DeleteFunc(answers, func(a *answer) bool { return a == nil })
	if len(answers) == 0 {
		return nil
	}
	return answers
}

// idOf is the id of a request that is not made.
func idOf(text []byte) json.RawMessage {
	var c call
	if json.Unmarshal(text, &c) != nil || !validID(c.ID) {
		return null
	}
	return c.ID
}

func validID(id json.RawMessage) bool {
	return len(id) > 0 && utf8.Valid(id) && (id[0] == '"' || id[0] == '-' || id[0] >= '0' && id[0] <= '9' || bytes.Equal(id, null))
}

// single makes one call, which is valid JSON; nil for a notification, which wants no answer.
func (s *Server) single(ctx context.Context, text []byte, results *hold) *answer {
	var c call
	if err := json.Unmarshal(text, &c); err != nil || c.Method == nil {
		return refused(null, fail(CodeInvalidRequest, "a request is an object with a method", "", ""))
	}
	notification := c.ID == nil
	if !notification && !validID(c.ID) {
		return refused(null, fail(CodeInvalidRequest, "an id is text in UTF-8, a number or null", "", ""))
	}
	if c.Version != nil && *c.Version != "2.0" { // without one it is taken for 2.0
		return refused(idOr(c.ID), fail(CodeInvalidRequest, "this is JSON-RPC 2.0", "", ""))
	}
	result, err := s.do(ctx, *c.Method, c.Params, results)
	s.served.Add(1)
	if err != nil {
		s.failed.Add(1)
	}
	switch {
	case notification:
		return nil
	case err != nil:
		return refused(c.ID, failure(err))
	}
	return &answer{Version: "2.0", ID: c.ID, Result: result}
}

func idOr(id json.RawMessage) json.RawMessage {
	if id == nil {
		return null
	}
	return id
}

// do calls a method. Its result counts as on its way until the request is answered.
func (s *Server) do(ctx context.Context, name string, params json.RawMessage, results *hold) (result json.RawMessage, err error) {
	m := s.methods[name]
	if m == nil && !s.foreign(name) {
		return nil, s.unknown(name)
	}
	defer func() {
		if p := recover(); p != nil {
			s.cfg.Log.Error("a method panicked", "method", name, "err", p, "stack", string(debug.Stack()))
			result, err = nil, fail(CodeInternal, "an internal error, which is in the log of the host", "", "")
		}
	}()
	var a *args
	if m != nil {
		if a, err = readArgs(m, params); err != nil {
			return nil, err
		}
		a.s = s
	}
	if m != nil && m.copies { // who waits for one keeps nobody from another call
		release, err := s.takeCopy(ctx)
		if err != nil {
			return nil, err
		}
		defer release()
	}
	select {
	case s.calls <- struct{}{}:
		defer func() { <-s.calls }()
	default:
		return nil, fail(CodeLimit, fmt.Sprintf("%d calls are under way, and that is the most", maxCalls), "busy", "try again later")
	}
	if m == nil {
		result, err = s.callPlugin(ctx, name, params)
	} else {
		result, err = m.call(ctx, a)
	}
	if err == nil && len(result) > smallAnswer && !results.take(len(result)) {
		return nil, answersBusy()
	}
	return result, err
}

// call makes the result of a method.
func (m *method) call(ctx context.Context, a *args) (json.RawMessage, error) {
	v, err := m.do(ctx, a)
	if err != nil {
		return nil, err
	}
	text, err := encode(v)
	if err != nil {
		return nil, fail(CodeInternal, "the result cannot be shown: "+err.Error(), "", "")
	}
	return text, nil
}

func (s *Server) unknown(name string) error {
	advice := "the methods begin with discv5_, host_ or the name of a plugin; host_methods lists them"
	known := MethodNames()
	if s.cfg.Plugins != nil {
		for _, m := range s.cfg.Plugins.Methods() {
			if s.foreign(m.Name) {
				known = append(known, m.Name)
			}
		}
	}
	if near := nearest.Word(name, known); near != "" {
		advice = "did you mean " + near + "?"
	}
	return fail(CodeNoMethod, fmt.Sprintf("there is no method %q", name[:min(len(name), 100)]), "unknown_method", advice)
}

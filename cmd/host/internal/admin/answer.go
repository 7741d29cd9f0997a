package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

const (
	maxAnswers  = 32 << 20 // bytes of the documents and results that are on their way, each above smallAnswer
	smallAnswer = 4 << 10
	// answerTimeout is how long a client may take for an answer.
	answerTimeout = 30 * time.Second
)

// ErrorView is what a path shows in place of its document.
type ErrorView struct {
	Error string `json:"error"`
	Hint  string `json:"hint,omitempty"`
}

func showError(w http.ResponseWriter, status int, what, advice string) {
	show(w, status, ErrorView{what, advice})
}

// showFailure shows what is in the way of a document.
func showFailure(w http.ResponseWriter, err error) {
	e, status := failure(err), http.StatusServiceUnavailable
	if e.Code == CodeInvalidParams {
		status = http.StatusBadRequest
	}
	showError(w, status, e.Message, e.Hint())
}

// answer shows a document of any size: those on their way are bounded.
func (s *Server) answer(w http.ResponseWriter, document any) {
	text, err := encode(document)
	if err != nil {
		showError(w, http.StatusInternalServerError, "the document cannot be shown: "+err.Error(), "")
		return
	}
	on := hold{of: &s.answers}
	defer on.release()
	if len(text) > smallAnswer && !on.take(len(text)) {
		showFailure(w, answersBusy())
		return
	}
	write(w, http.StatusOK, text)
}

func answersBusy() error {
	return fail(CodeLimit, fmt.Sprintf("answers of %d bytes are on their way, and that is the most", maxAnswers), "busy", "try again later")
}

// show shows a small document.
func show(w http.ResponseWriter, status int, v any) {
	text, _ := encode(v) // those that are small always can
	write(w, status, text)
}

// write sends a document. Whoever went away does not want it, and who takes it too slowly does not get it.
func write(w http.ResponseWriter, status int, text []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTimeout)) // a test has none
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

// encode makes JSON for programs, which show no HTML.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return b.Bytes(), err
}

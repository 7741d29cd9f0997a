package hint

import "errors"

type hinted struct {
	err  error
	text string
}

func (h *hinted) Error() string { return h.err.Error() }
func (h *hinted) Unwrap() error { return h.err }

// Wrap returns err with the advice text, or nil when err is nil. An empty text returns err itself.
func Wrap(err error, text string) error {
	if err == nil || text == "" {
		return err
	}
	return &hinted{err: err, text: text}
}

// New is Wrap around a new error that reads what.
func New(what, text string) error { return Wrap(errors.New(what), text) }

// Of returns the outermost advice in err's chain, or "" when there is none.
func Of(err error) string {
	if h, ok := errors.AsType[*hinted](err); ok {
		return h.text
	}
	return ""
}

package link

import (
	"errors"
	"fmt"

	"github.com/discv5/host/core"
)

// maxStrays is how many responses to nothing in a row a plugin may send before it counts as broken.
const maxStrays = 1000

var (
	errGarbage = errors.New("the message is no protobuf")
	errStrays  = fmt.Errorf("%d responses in a row to requests that are not open", maxStrays)
)

// read takes responses until the stream is over.
func (t *Talk) read() {
	var m incoming
	answers := make([]core.TalkAnswer, 0, chunk)
	for {
		if err := t.stream.RecvMsg(&m); err != nil {
			if t.ctx.Err() != nil {
				err = t.ctx.Err()
			}
			t.fail(controlError("talk stream", err))
			return
		}
		rest, err := m.bytes(), error(nil)
		if len(rest) == 0 {
			err = t.stray(1)
		}
		for len(rest) > 0 && err == nil {
			answers, rest, err = t.settle(answers[:0], rest)
			t.answer(answers)
		}
		m.free()
		if err != nil {
			t.fail(&LinkError{Op: "talk stream", Err: err})
			return
		}
	}
}

// stray counts responses to nothing.
func (t *Talk) stray(n int) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.strays += n; t.strays > maxStrays {
		return errStrays
	}
	return nil
}

// settle looks at some of the responses of a message: it frees their slots and collects what is to be answered. Payloads are
// parts of the message.
func (t *Talk) settle(answers []core.TalkAnswer, b []byte) (_ []core.TalkAnswer, rest []byte, err error) {
	var responses [chunk]talkResponse
	count := 0
	for count < len(responses) && len(b) > 0 {
		r, rest, ok := nextTalkResponse(b)
		if !ok {
			err = errGarbage
			b = nil
			break
		}
		responses[count] = r
		count++
		b = rest
	}
	now := t.now()
	t.mu.Lock()
	if t.state == talkClosed {
		t.mu.Unlock()
		return answers, nil, nil
	}
	for i := range responses[:count] {
		answers = t.settleOne(answers, &responses[i])
	}
	if t.strays > maxStrays && err == nil {
		err = errStrays
	}
	t.breaker.heard(now)
	t.sendQueued(now)
	t.checkDrained()
	wake := t.out.claim()
	t.mu.Unlock()
	if wake {
		t.wakeWriter()
	}
	return answers, b, err
}

func (t *Talk) settleOne(answers []core.TalkAnswer, r *talkResponse) []core.TalkAnswer {
	i, used := t.slots.find(r.id)
	if i < 0 || t.slots.all[i].message >= t.out.taken {
		t.strays++
		if used {
			t.stats.Repeated++
		} else {
			t.stats.Unknown++
		}
		return answers
	}
	t.strays = 0
	s := &t.slots.all[i]
	if s.state == slotGivenUp {
		t.stats.LateAnswers++
		t.release(i, true)
		return answers
	}
	payload := r.payload
	switch {
	case len(r.failure) > 0:
		t.stats.Failed++
		payload = nil
		if t.cfg.Logger.IsDebug() {
			t.complaint.log(t.cfg.Logger, "talk plugin did not answer", clean(string(r.failure), maxText))
		}
	case len(payload) > t.cfg.MaxResponse:
		t.stats.TooLarge++
		t.complaint.log(t.cfg.Logger, "talk response too large, sent empty", fmt.Sprintf("%d bytes", len(payload)))
		payload = nil
	default:
		t.stats.Answered++
	}
	t.breaker.answered(r.id)
	answers = append(answers, core.TalkAnswer{To: s.pending, Payload: payload})
	t.slots.live.remove(t.slots.all, i)
	t.slots.alive--
	t.release(i, true)
	return answers
}

package link

import (
	"strings"
	"time"
	"unicode"

	"github.com/hashicorp/go-hclog"
)

// Bounds of a plugin's text.
const (
	maxText        = 256  // bytes of a reason or a health message
	maxMessageText = 2048 // bytes of an error message: it may explain a configuration mistake
)

// clean makes a plugin's text safe to show: valid UTF-8 without control characters, at most size bytes.
func clean(s string, size int) string {
	if len(s) > size {
		s = s[:size]
	}
	s = strings.ToValidUTF8(s, "")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), r == '\u2028', r == '\u2029':
			return -1
		}
		return r
	}, s))
}

// complaintPause is the shortest pause between two log lines of one kind.
const complaintPause = 10 * time.Second

// complaint is a log line that does not come too often. Its owner guards it.
type complaint struct {
	last    time.Time
	skipped int
}

func (c *complaint) log(logger hclog.Logger, message, err string) {
	now := time.Now()
	if !c.last.IsZero() && now.Sub(c.last) < complaintPause {
		c.skipped++
		return
	}
	logger.Debug(message, "err", err, "count", c.skipped+1)
	c.last, c.skipped = now, 0
}

package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/discv5/host/cmd/host/internal/crawl"
	"github.com/mattn/go-isatty"
)

// progressPause is the time between two lines where there is no terminal.
const progressPause = 10 * time.Second

// crawlProgress shows how a crawl proceeds: a line that is drawn over on a terminal, one now and then elsewhere.
type crawlProgress struct {
	w        io.Writer
	terminal bool
	drawn    bool
	printed  time.Duration // when the last line was printed

	last struct { // what the rate is counted from
		at       time.Duration
		requests uint64
		rate     float64
	}
}

func newCrawlProgress(w io.Writer) *crawlProgress {
	f, ok := w.(interface{ Fd() uintptr })
	return &crawlProgress{w: w, terminal: ok && isatty.IsTerminal(f.Fd())}
}

func (p *crawlProgress) show(elapsed time.Duration, c crawl.Counts) {
	if d := elapsed - p.last.at; d >= time.Second {
		p.last.rate = float64(c.Requests-p.last.requests) / d.Seconds()
		p.last.at, p.last.requests = elapsed, c.Requests
	}
	line := fmt.Sprintf("%v  %d known, %d alive, %d dead, %d waiting, %d in flight, %.0f/s",
		elapsed.Truncate(time.Second), c.Known, c.Alive, c.Dead, c.Waiting, c.InFlight, p.last.rate)
	switch {
	case p.terminal:
		fmt.Fprintf(p.w, "\r\x1b[K%s", line)
		p.drawn = true
	case elapsed-p.printed >= progressPause:
		p.printed = elapsed
		fmt.Fprintln(p.w, "crawl:", line)
	}
}

// close ends a line that is drawn over.
func (p *crawlProgress) close() {
	if p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.drawn = false
	}
}

package devnet

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mattn/go-isatty"
)

const barWidth = 12

// display prints results, and a line of progress that is drawn over on a terminal and printed now and then elsewhere.
type display struct {
	w        io.Writer
	terminal bool
	drawn    bool   // the last line is one of progress, and open
	last     string // state printed, not on a terminal
}

func newDisplay(w io.Writer) *display {
	f, ok := w.(interface{ Fd() uintptr })
	return &display{w: w, terminal: ok && isatty.IsTerminal(f.Fd())}
}

// print prints a line of its own.
func (d *display) print(format string, args ...any) {
	if d.drawn {
		fmt.Fprintln(d.w)
		d.drawn = false
	}
	fmt.Fprintf(d.w, format+"\n", args...)
}

// progress shows how the network is.
func (d *display) progress(p progress) {
	if d.terminal {
		fmt.Fprintf(d.w, "\r\x1b[K%s", p.line())
		d.drawn = true
		return
	}
	if text := p.state(); text != d.last {
		d.last = text
		d.print("%5.1f s  %s", p.elapsed.Seconds(), text)
	}
}

// progress is how far the network has formed.
type progress struct {
	elapsed         time.Duration
	others          int // nodes that the host can know
	known, verified int // by the host
	median          int // verified by the plain nodes
}

// formed tells whether the host and half of the others have verified nine tenths of the network.
func (p progress) formed() bool {
	enough := p.others - p.others/10
	return p.verified >= enough && p.median >= min(enough, p.others-1)
}

// line is what a terminal draws over and over; it must fit into 80 columns.
func (p progress) line() string {
	full := barWidth * min(p.verified, p.others) / max(p.others, 1)
	bar := strings.Repeat("█", full) + strings.Repeat("░", barWidth-full)
	return fmt.Sprintf("%5.1f s  %s  %d/%d known, %d verified; the others' median: %d", p.elapsed.Seconds(), bar, p.known, p.others, p.verified, p.median)
}

// state is the progress in words.
func (p progress) state() string {
	return fmt.Sprintf("the host knows %d of %d nodes and has verified %d; half of the others have verified %d or more", p.known, p.others, p.verified, p.median)
}

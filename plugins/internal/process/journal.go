package process

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	maxLine     = 64 << 10 // bytes of a line that are looked at
	maxText     = 4 << 10  // bytes of an entry in the log: its text and its pairs
	keptLines   = 20
	keptBytes   = 4 << 10
	keptLine    = 512 // bytes kept of one of them
	linesPerSec = 100
	linesBurst  = 1000
	bytesPerSec = 64 << 10 // of entries, in the log
	bytesBurst  = 1 << 20
	missedEvery = 10 * time.Second // how often lines that were too many are told
	outputRate  = 4 << 20          // bytes a second
	outputBurst = 16 << 20
	maxPart     = 32 << 10 // bytes that are taken at a time
	lineCost    = 512      // a line counts as so many bytes more: short ones are work too
)

// OutputStats counts what a plugin has written, since it was started.
type OutputStats struct {
	Lines    uint64 // on both outputs
	Bytes    uint64
	Cut      uint64 // lines longer than 64 KiB
	Unlogged uint64 // lines that were too many for the log
}

// journal takes the lines of a plugin: the last ones are kept, and as many as a log can bear go there.
type journal struct {
	name string
	log  hclog.Logger

	mu       sync.Mutex
	kept     []string
	size     int // bytes in kept
	allowed  bucket
	bytes    bucket // of entries
	unlogged uint64 // not told yet
	told     time.Time
	stats    OutputStats
	dying    bool   // it panics: what follows is the trace
	cause    string // the line that said so
}

func newJournal(name string, log hclog.Logger) *journal {
	return &journal{name: name, log: log, allowed: newBucket(linesPerSec, linesBurst), bytes: newBucket(bytesPerSec, bytesBurst)}
}

// stderr takes a line of the standard error; cut is how many bytes of it are missing.
func (j *journal) stderr(line []byte, cut int) { j.take(time.Now(), line, cut, false) }

// stdout takes a line of the standard output, where nothing is expected.
func (j *journal) stdout(line []byte, cut int) { j.take(time.Now(), line, cut, true) }

func (j *journal) take(now time.Time, line []byte, cut int, stdout bool) {
	line = bytes.TrimRight(line, "\r")
	j.mu.Lock()
	j.stats.Lines++
	j.stats.Bytes += uint64(len(line)+cut) + 1
	if cut > 0 {
		j.stats.Cut++
	}
	if len(line) == 0 {
		j.mu.Unlock()
		return
	}
	ok := j.bytes.any(now) && j.allowed.admit(now)
	if !ok {
		j.unlogged++
		j.stats.Unlogged++
	}
	var missed uint64
	if ok && j.unlogged > 0 && (j.told.IsZero() || now.Sub(j.told) >= missedEvery) {
		missed, j.unlogged, j.told = j.unlogged, 0, now
	}
	dying := j.dying
	j.mu.Unlock()

	// A flood is not parsed: its lines are kept as they are.
	e := entry{message: clean(line, keptLine)}
	if ok {
		e = parseEntry(line, stdout, dying)
	}
	j.keep(e, now, ok)
	if missed > 0 {
		j.log.Warn("plugin writes more than the log takes", "plugin", j.name, "count", missed)
	}
	if !ok {
		return
	}
	args := append([]any{"plugin", j.name}, e.args...)
	if cut > 0 {
		args = append(args, "cut", cut)
	}
	j.log.Log(e.level, e.message, args...)
}

// keep keeps an entry, and pays for it when it is logged.
func (j *journal) keep(e entry, now time.Time, logged bool) {
	text := e.text()
	size := len(text)
	if len(text) > keptLine {
		text = strings.ToValidUTF8(text[:keptLine], "")
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if logged {
		j.bytes.take(now, float64(size))
	}
	if e.dying {
		j.dying, j.cause = true, text
	}
	j.kept = append(j.kept, text)
	j.size += len(text)
	for len(j.kept) > keptLines || j.size > keptBytes-len(j.cause) {
		j.size -= len(j.kept[0])
		j.kept = j.kept[1:]
	}
}

func (j *journal) last() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.cause != "" && len(j.kept) > 0 && !slices.Contains(j.kept, j.cause) {
		return append([]string{j.cause}, j.kept[1:]...) // the trace is long
	}
	return slices.Clone(j.kept)
}

func (j *journal) counts() OutputStats {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.stats
}

// end tells what has not been told.
func (j *journal) end() {
	j.mu.Lock()
	missed := j.unlogged
	j.unlogged = 0
	j.mu.Unlock()
	if missed > 0 {
		j.log.Warn("plugin wrote more than the log takes", "plugin", j.name, "count", missed)
	}
}

// splitter is an io.Writer that makes lines. Of a line longer than maxLine the beginning counts. It belongs to one goroutine.
type splitter struct {
	emit func(line []byte, cut int)
	line []byte
	cut  int
}

func (s *splitter) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		end := bytes.IndexByte(b, '\n')
		part := b
		if end >= 0 {
			part = b[:end]
		}
		took := min(len(part), maxLine-len(s.line))
		if end >= 0 && len(s.line) == 0 && took == len(part) {
			s.emit(part, 0) // the usual case needs no copy
			b = b[end+1:]
			continue
		}
		s.line = append(s.line, part[:took]...)
		s.cut += len(part) - took
		if end < 0 {
			break
		}
		s.flush()
		b = b[end+1:]
	}
	return n, nil
}

func (s *splitter) flush() {
	s.emit(s.line, s.cut)
	s.line, s.cut = s.line[:0], 0
	if cap(s.line) > 4<<10 {
		s.line = nil
	}
}

// end emits a last line that has no end.
func (s *splitter) end() {
	if len(s.line) > 0 {
		s.flush()
	}
}

package crawl

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/cmd/host/internal/lockfile"
	"github.com/discv5/host/cmd/host/internal/plainfile"
)

const (
	stateMode = 0o644
	// compactAt is how many times longer than needed a journal may be until it is written anew.
	compactAt = 2
	// maxPending bounds the bytes that wait for the disk: what a fast crawl learns in half a minute.
	maxPending = 64 << 20
)

var errStuck = errors.New("the disk takes nothing any more")

// State is the file that a crawl can be resumed from: a journal that is only appended to while a crawl runs. A crawl that is
// killed loses what it learned after the last [State.Append] that its disk took.
//
// One goroutine may use it; another one, the State's own, writes.
type State struct {
	path string
	lock *lockfile.Lock
	file *os.File

	pending []byte
	chunks  chan []byte
	failed  chan error // one error at most
	stopped chan struct{}
}

// OpenState opens the state at path, or begins one, and keeps other crawls away from it. It returns what was known: nodes that
// answered, and those that somebody told of within maxAge; others are forgotten. The error has a hint.
func OpenState(path string, now time.Time, maxAge time.Duration) (*State, []Saved, error) {
	lock, err := lockfile.Acquire(path + ".lock")
	if errors.Is(err, lockfile.ErrHeld) {
		return nil, nil, hint.Wrap(fmt.Errorf("state %s: %w", path, lockfile.ErrHeld), "another crawl uses it; wait for its end, or give this one a --state of its own")
	}
	if err != nil {
		return nil, nil, hint.Wrap(fmt.Errorf("state: %w", err), "give --state a file in a folder that this user may write")
	}
	s := &State{path: path, lock: lock}
	saved, err := s.open(now, maxAge)
	if err != nil {
		return nil, nil, errors.Join(err, lock.Release())
	}
	s.chunks, s.failed, s.stopped = make(chan []byte), make(chan error, 1), make(chan struct{})
	go s.write()
	return s, saved, nil
}

func (s *State) open(now time.Time, maxAge time.Duration) ([]Saved, error) {
	fail := func(err error, advice string) error {
		return hint.Wrap(fmt.Errorf("state %s: %w", s.path, err), advice)
	}
	f, _, err := plainfile.Open(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := s.rewrite(nil); err != nil {
			return nil, fail(err, "give --state a file in a folder that this user may write")
		}
		return nil, nil
	}
	if err != nil {
		return nil, fail(err, "give --state a regular file that this user may read and write")
	}
	saved, lines, size, err := readJournal(f)
	f.Close()
	if err != nil {
		return nil, fail(err, "nothing was changed; give --state another file, or move this one away to begin anew")
	}
	kept := remembered(saved, now, maxAge)
	needed := 0
	for _, k := range kept {
		if needed++; k.Done != nil {
			needed++
		}
	}
	if size == 0 || len(kept) < len(saved) || lines > compactAt*needed {
		err = s.rewrite(kept)
	} else {
		err = s.resume(size)
	}
	if err != nil {
		return nil, fail(err, "is there room on the disk, and may this user write there?")
	}
	return kept, nil
}

// resume appends to a journal, in place of a line that was cut short.
func (s *State) resume(size int64) error {
	f, err := os.OpenFile(s.path, os.O_WRONLY|os.O_APPEND, stateMode)
	if err != nil {
		return err
	}
	if err := f.Truncate(size); err != nil {
		return errors.Join(err, f.Close())
	}
	s.file = f
	return nil
}

// rewrite replaces the journal by one that says the same in the shortest way.
func (s *State) rewrite(saved []Saved) error {
	b := appendHeader(nil)
	for i, k := range saved {
		b = appendFact(b, Fact{Index: uint32(i), At: k.First, Record: k.Record})
	}
	for i, k := range saved { // all nodes are introduced before they are reported
		if k.Done != nil {
			b = appendFact(b, Fact{Index: uint32(i), At: k.DoneAt, Done: k.Done})
		}
	}
	f, err := plainfile.Beside(s.path, stateMode)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil { // it has to be closed to be renamed on some systems
		return errors.Join(err, os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), s.path); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return s.resume(int64(len(b)))
}

// remembered leaves out the nodes that did not answer and that nobody told of lately, and renumbers the rest.
func remembered(saved []Saved, now time.Time, maxAge time.Duration) []Saved {
	reported := make([]bool, len(saved))
	for i := range saved {
		if saved[i].holds(now, maxAge) {
			for _, told := range saved[i].Done.Reports {
				reported[told] = true
			}
		}
	}
	number := make([]uint32, len(saved))
	var kept []Saved
	for i, s := range saved {
		if s.Done != nil && !s.Done.Alive && !reported[i] && !s.holds(now, maxAge) {
			continue
		}
		number[i] = uint32(len(kept))
		kept = append(kept, s)
	}
	if len(kept) == len(saved) {
		return saved
	}
	for i := range kept {
		if d := kept[i].Done; d != nil {
			if !kept[i].holds(now, maxAge) {
				d.Reports = nil // of nodes that may be forgotten; this one is asked again
				continue
			}
			for j, told := range d.Reports {
				d.Reports[j] = number[told]
			}
		}
	}
	return kept
}

// Append adds facts to the journal. It does not wait for the disk: what the disk has not taken yet goes along with the next
// call. An error is that of an earlier write, or says that too much waits for one; the State takes nothing more then.
func (s *State) Append(facts []Fact) error {
	for _, f := range facts {
		s.pending = appendFact(s.pending, f)
	}
	if len(s.pending) == 0 {
		return nil
	}
	select {
	case err := <-s.failed:
		s.failed <- err
		return err
	case s.chunks <- s.pending:
		s.pending = nil
	default:
		if len(s.pending) > maxPending {
			return hint.Wrap(fmt.Errorf("write the state: %w", errStuck), "does its disk work? What was written before can be resumed from with --state "+s.path)
		}
	}
	return nil
}

// write is the goroutine that writes. Lines are written whole, many at a time.
func (s *State) write() {
	defer close(s.stopped)
	for chunk := range s.chunks {
		_, err := s.file.Write(chunk)
		if err == nil {
			err = s.file.Sync()
		}
		if err != nil {
			s.failed <- hint.Wrap(fmt.Errorf("write the state: %w", err), "is its disk full? What was written before can be resumed from with --state "+s.path)
			return
		}
	}
}

// Close writes what is pending, and returns the first error of a write.
func (s *State) Close() error {
	if len(s.pending) > 0 {
		select {
		case s.chunks <- s.pending:
		case <-s.stopped:
		}
	}
	close(s.chunks)
	<-s.stopped
	var failed error
	select {
	case failed = <-s.failed:
	default:
	}
	return errors.Join(failed, s.file.Close(), s.lock.Release())
}

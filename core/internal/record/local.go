package record

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// firstTimeSeq is the least sequence number taken from the clock: the milliseconds of 2024-01-01. A host whose clock
// stands at its beginning must not start again at next to nothing.
const firstTimeSeq = 1_704_067_200_000

// Config says whose record Open opens.
type Config struct {
	Path     string            // of the file; "" keeps the record in memory only
	Key      *ecdsa.PrivateKey // of the node
	FreshKey bool              // the key was made at this start, so no record of it can be out there
}

// Start tells where the sequence number came from.
type Start uint8

const (
	Kept      Start = iota // the file's record says what the configuration says, and is used as it is
	Continued              // the file's record said something else; its number plus one
	First                  // a fresh key: one
	Clock                  // the file was missing or damaged: the Unix time in milliseconds
)

// Report tells what Open met.
type Report struct {
	Start    Start
	Previous *enode.Node // the file's record, nil when there was none
	Problem  error       // why the file could not be used, nil when it could or when a fresh key had none
	NotSaved error       // why the new record could not be saved, an ErrNotSaved; see Local.Degraded
}

// Local is the record of this node. Self is for everybody; all other methods are for one goroutine at a time.
type Local struct {
	key    *ecdsa.PrivateKey
	path   string
	store  func(path string, text []byte) (replaced bool, err error)
	self   atomic.Pointer[enode.Node]
	fields map[string]field // what the record is to say; it does say so unless degraded
	seq    uint64           // the highest number that a file may have held or anybody may have seen
	saved  bool             // the file holds the published record
	failed error            // of the last write
}

// Open makes the local record with the content that changes give, and publishes it. Of the file's record, when it is
// one of this key, nothing is taken over but its sequence number; if the content is the same, the record itself is
// kept. A file that cannot be written is no error: then the previous record stays published, or the new one is when
// there is none, and Report.NotSaved and Degraded say so. Errors are ErrBadKey, ErrKeyMismatch, ErrSeqExhausted,
// ErrNotSaved for a file that can neither be read nor written, and those of Update for the changes.
func Open(now time.Time, cfg Config, changes ...Change) (*Local, Report, error) {
	return open(now, cfg, replace, changes)
}

// open is Open with the write to the disk as an argument.
func open(now time.Time, cfg Config, store func(string, []byte) (bool, error), changes []Change) (*Local, Report, error) {
	own, err := identity(cfg.Key)
	if err != nil {
		return nil, Report{}, err
	}
	l := &Local{key: cfg.Key, path: cfg.Path, store: store, fields: own}
	report, err := l.load(now, cfg)
	if err != nil {
		return nil, report, err
	}
	fields, err := l.with(changes)
	if err != nil {
		return nil, report, err
	}
	l.fields = fields // also when it cannot be saved: the next Update tries again
	n, changed, err := l.publish(fields)
	switch {
	case errors.Is(err, ErrNotSaved) && unreadable(report.Problem):
		return nil, report, fmt.Errorf("%w (nor read: %w)", err, report.Problem)
	case errors.Is(err, ErrNotSaved):
		report.NotSaved = err
		if l.self.Load() == nil { // nothing older to hold on to, and no number that could repeat: the next start takes the clock
			l.seq = n.Seq()
			l.self.Store(n)
		}
	case err != nil:
		return nil, report, err
	case report.Previous != nil && changed:
		report.Start = Continued
	}
	return l, report, nil
}

// unreadable reports whether there is a file that we failed to read: it may hold a record, and a later start may read it.
func unreadable(problem error) bool {
	return problem != nil && !errors.Is(problem, fs.ErrNotExist) && !errors.Is(problem, ErrDamaged)
}

// load takes the previous record from the file and decides where the sequence number goes on.
func (l *Local) load(now time.Time, cfg Config) (Report, error) {
	var r Report
	if l.path != "" {
		previous, err := Read(l.path)
		switch {
		case err == nil && previous.ID() != enode.PubkeyToIDV4(&l.key.PublicKey):
			return r, fmt.Errorf("%w: %s is of node %s", ErrKeyMismatch, l.path, previous.ID())
		case err == nil:
			r.Start, r.Previous = Kept, previous
			l.seq, l.saved = previous.Seq(), true
			l.self.Store(previous)
			return r, nil
		case !cfg.FreshKey || !errors.Is(err, fs.ErrNotExist):
			r.Problem = err
		}
	}
	if cfg.FreshKey {
		r.Start = First
		return r, nil
	}
	r.Start = Clock
	l.seq = uint64(max(now.UnixMilli(), firstTimeSeq)) - 1
	return r, nil
}

// Self is the published record. It never blocks and may be called from any goroutine.
func (l *Local) Self() *enode.Node { return l.self.Load() }

// ID is the node's id.
func (l *Local) ID() enode.ID { return enode.PubkeyToIDV4(&l.key.PublicKey) }

// Update carries out changes in their order as one batch and returns the published record, and whether it is a new
// one. After an error nothing is different: not one of the changes is in force, and the record returned is the old one.
// While degraded it writes even if there is nothing new, so that Degraded tells how the file is now. Errors are *FieldOwnedError, *TooLargeError,
// ErrReserved, ErrBadOwner, ErrBadValue, ErrSeqExhausted and ErrNotSaved.
func (l *Local) Update(changes ...Change) (n *enode.Node, changed bool, err error) {
	fields, err := l.with(changes)
	if err != nil {
		return l.Self(), false, err
	}
	if _, changed, err = l.publish(fields); err != nil {
		return l.Self(), false, err
	}
	l.fields = fields
	return l.Self(), changed, nil
}

// Degraded is why the file does not hold the record that the fields ask for, nil when all is well. It is an
// ErrNotSaved.
func (l *Local) Degraded() error { return l.failed }

// Usage is what the fields take of the record's 300 bytes.
func (l *Local) Usage() Usage { return usage(l.Self().Seq(), l.fields) }

// with is the fields after changes.
func (l *Local) with(changes []Change) (map[string]field, error) {
	fields := maps.Clone(l.fields)
	for _, c := range changes {
		if err := c.apply(fields); err != nil {
			return nil, err
		}
	}
	return fields, nil
}

// publish makes fields the content of the published record, if they are not already. With an ErrNotSaved it returns the
// record that could not be saved.
func (l *Local) publish(fields map[string]field) (n *enode.Node, changed bool, err error) {
	n = l.self.Load()
	if n == nil || !sameContent(n.Record(), fields) {
		if l.seq == math.MaxUint64 {
			return nil, false, ErrSeqExhausted
		}
		if n, err = sign(l.key, l.seq+1, fields); err != nil {
			return nil, false, err
		}
		changed = true
	} else if l.saved && l.failed == nil {
		return n, false, nil
	} // a file that failed counts as well again only when a write has worked
	if err := l.save(n); err != nil {
		return n, false, err
	}
	l.seq = max(l.seq, n.Seq())
	l.self.Store(n)
	return n, changed, nil
}

// save puts n into the file.
func (l *Local) save(n *enode.Node) error {
	if l.path == "" {
		l.saved = true
		return nil
	}
	replaced, err := l.store(l.path, []byte(n.String()+"\n"))
	if err != nil {
		if replaced { // n may be what the next start finds: its number is used up
			l.seq, l.saved = max(l.seq, n.Seq()), false
		}
		l.failed = fmt.Errorf("%w: %w", ErrNotSaved, err)
		return l.failed
	}
	l.saved, l.failed = true, nil
	return nil
}

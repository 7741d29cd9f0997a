package lockfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/discv5/host/cmd/host/internal/hint"
)

// ErrHeld says that another process holds the lock.
var ErrHeld = errors.New("in use by another host")

const fileMode = 0o600

// maxOwner bounds what is read of the owner's note: a process id.
const maxOwner = 32

// Lock is a lock that this process holds.
type Lock struct{ file *os.File }

// Acquire locks the file at path, which is made when it is missing. It does not wait. The error wraps ErrHeld when another
// process holds the lock, or another Lock of this one.
func Acquire(path string) (*Lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("lock file: %w", err), "choose a folder this user may write with --data-dir")
	}
	if err := lock(f); err != nil {
		owner := readOwner(f)
		f.Close()
		if errors.Is(err, ErrHeld) {
			return nil, hint.Wrap(fmt.Errorf("lock file %s: %w%s", path, ErrHeld, owner), "stop the other host, or give this one a folder of its own with --data-dir")
		}
		return nil, hint.Wrap(fmt.Errorf("lock file %s: %w", path, err), "the file system must support locks; choose another folder with --data-dir")
	}
	l := &Lock{file: f}
	if err := l.note(); err != nil {
		return nil, errors.Join(fmt.Errorf("lock file: %w", err), l.Release())
	}
	return l, nil
}

// note writes who holds the lock.
func (l *Lock) note() error {
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	_, err := l.file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// Release ends the lock. The file stays.
func (l *Lock) Release() error { return l.file.Close() }

// readOwner tells who holds the lock, as the end of a sentence; empty when the file does not say.
func readOwner(f *os.File) string {
	text, err := io.ReadAll(io.NewSectionReader(f, 0, maxOwner))
	if err != nil {
		return ""
	}
	pid, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32)
	if err != nil {
		return ""
	}
	return fmt.Sprintf(", process %d", pid)
}

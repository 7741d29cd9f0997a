package lockfile

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// beyond is the high half of the offset of the locked byte. Locks are mandatory on Windows: this one is far behind the
// owner's note, which others want to read.
const beyond = 1 << 30

func lock(f *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, &windows.Overlapped{OffsetHigh: beyond})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return ErrHeld
	}
	return err
}

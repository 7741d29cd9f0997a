//go:build unix && !linux

package process

import (
	"errors"
	"strconv"
	"syscall"
)

// identify names a process by its number alone, which is enough to leave its directory in peace.
func identify(pid int) (string, bool) {
	err := syscall.Kill(pid, 0)
	return strconv.Itoa(pid), err == nil || errors.Is(err, syscall.EPERM)
}

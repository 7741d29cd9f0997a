//go:build unix

package daemon

import (
	"io/fs"
	"os"
	"syscall"
)

// owned tells whether a folder belongs to this user, and nobody else can use it.
func owned(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Getuid() && info.Mode().Perm()&0o077 == 0
}

//go:build unix

package admin

import (
	"io/fs"
	"os"
	"syscall"
)

// private tells whether a folder belongs to this user, and nobody else can use it.
func private(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Getuid() && info.Mode().Perm()&0o077 == 0
}

// ownerOf is the user that a folder belongs to; of one that is not there, this user.
func ownerOf(path string) int {
	if info, err := os.Stat(path); err == nil {
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			return int(stat.Uid)
		}
	}
	return os.Getuid()
}

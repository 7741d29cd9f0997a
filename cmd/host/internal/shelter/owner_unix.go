//go:build unix

package shelter

import (
	"io/fs"
	"os"
	"slices"
	"syscall"
)

// self is the user that files of this process belong to.
func self() int { return os.Geteuid() }

// private tells whether a folder belongs to one of some users, and nobody else can use it.
func private(info fs.FileInfo, owners []int) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && slices.Contains(owners, int(stat.Uid)) && info.Mode().Perm()&0o077 == 0
}

// ownerOf is the user that a folder belongs to; of one that is not there, this user.
func ownerOf(path string) int {
	if info, err := os.Stat(path); err == nil {
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			return int(stat.Uid)
		}
	}
	return self()
}

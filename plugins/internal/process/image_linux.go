package process

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

func executable(info os.FileInfo) bool { return info.Mode()&0o111 != 0 }

// copyImage makes a private copy of a program in memory that nobody can change any more, or on the disk where the system does
// not execute such memory.
func copyImage(src *os.File, path string) (*image, []byte, error) {
	fd, err := unix.MemfdCreate("plugin", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|unix.MFD_EXEC)
	if err == unix.EINVAL { // before Linux 6.3
		fd, err = unix.MemfdCreate("plugin", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return copyFile(src, path)
	}
	mem := os.NewFile(uintptr(fd), "plugin")
	sum, err := copyHashed(mem, src)
	if err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SEAL|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE)
	}
	if err != nil {
		mem.Close()
		if _, seek := src.Seek(0, io.SeekStart); seek != nil {
			return nil, nil, seek
		}
		return copyFile(src, path)
	}
	return &image{path: fmt.Sprintf("/proc/self/fd/%d", fd), file: mem}, sum, nil
}

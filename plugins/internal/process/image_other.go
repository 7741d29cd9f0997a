//go:build !linux

package process

import (
	"os"
	"runtime"
)

func executable(info os.FileInfo) bool { return runtime.GOOS == "windows" || info.Mode()&0o111 != 0 }

// copyImage makes a private copy of a program on the disk, in a directory that only this user may enter.
func copyImage(src *os.File, path string) (*image, []byte, error) {
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	return copyFile(src, path)
}

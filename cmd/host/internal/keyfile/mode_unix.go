//go:build unix

package keyfile

import (
	"fmt"
	"io/fs"

	"github.com/discv5/host/cmd/host/internal/hint"
)

// checkMode refuses a file that its group or the world can read or write.
func checkMode(path string, mode fs.FileMode) error {
	if perm := mode.Perm(); perm&0o077 != 0 {
		return hint.Wrap(fmt.Errorf("read key file %s: others than its owner may use it (mode %04o)", path, perm), "chmod 600 "+path)
	}
	return nil
}

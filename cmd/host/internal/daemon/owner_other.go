//go:build !unix

package daemon

import "io/fs"

// owned: temporary files are each user's own where there are no modes.
func owned(fs.FileInfo) bool { return true }

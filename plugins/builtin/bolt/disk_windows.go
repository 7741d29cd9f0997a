package bolt

import "os"

// syncFolder does nothing: folders cannot be synced, and renames are durable.
func syncFolder(string) error { return nil }

// openRenames tells whether a file that is open can be renamed.
const openRenames = false

// unlock does nothing: the lock ends with the handle.
func unlock(*os.File) {}

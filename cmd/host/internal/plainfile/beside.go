package plainfile

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
)

// PartSuffix ends the names of files of Beside.
const PartSuffix = ".part"

// Beside makes a file in the folder of path, to be written and then renamed to path. Nobody can have put anything in its place before:
// its name begins like path and cannot be guessed, and it is new. An error is about path.
func Beside(path string, mode fs.FileMode) (*os.File, error) {
	f, err := os.OpenFile(path+"."+rand.Text()[:12]+PartSuffix, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		failed.Path = path
	}
	return f, err
}

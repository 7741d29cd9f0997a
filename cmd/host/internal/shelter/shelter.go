package shelter

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Of is the shelter of a data folder. Its name follows from where that is, behind symbolic links, and from its owner.
func Of(dataDir string) string {
	if abs, err := filepath.Abs(dataDir); err == nil {
		dataDir = abs
	}
	if real, err := filepath.EvalSymlinks(dataDir); err == nil {
		dataDir = real
	}
	sum := sha256.Sum256([]byte(dataDir))
	return filepath.Join(os.TempDir(), fmt.Sprintf("discv5-host-%d-%s", ownerOf(dataDir), hex.EncodeToString(sum[:6])))
}

// Make makes the shelter of a data folder for this user alone, or takes the one that is there.
func Make(dataDir string) (dir string, err error) {
	dir = Of(dataDir)
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return dir, check(dir, self())
}

// Check tells whether to trust what is in the shelter of a data folder: one of this user, of the owner of the data folder, or of root,
// that nobody else can use. One that is not there is fs.ErrNotExist.
func Check(dataDir string) error { return check(Of(dataDir), self(), ownerOf(dataDir), 0) }

func check(dir string, owners ...int) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() || !private(info, owners) {
		return fmt.Errorf("%s is not a folder of its user alone", dir)
	}
	return nil
}

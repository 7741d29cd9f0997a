package admin

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/discv5/host/cmd/host/internal/hint"
)

// SocketName is the name of the socket in the data folder.
const SocketName = "admin.sock"

// shelterPrefix begins the names of folders for the sockets of data folders with long paths.
const shelterPrefix = "discv5-host-"

// SocketPath is the socket of the host with a data folder.
func SocketPath(dataDir string) string { return placeOf(filepath.Join(dataDir, SocketName)) }

// placeOf is where the socket of a path is: there or, when the path is too long for a socket and ends with SocketName, in a folder
// among the temporary files whose name follows from the path and owner of the folder that was meant. Listen and Dial find the same one, as
// long as both have the same folder for temporary files.
func placeOf(path string) string {
	if filepath.Base(path) != SocketName {
		return path
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if checkSocketPath(path) == nil {
		return path
	}
	dataDir := filepath.Dir(path)
	if real, err := filepath.EvalSymlinks(dataDir); err == nil {
		dataDir = real
	}
	sum := sha256.Sum256([]byte(dataDir))
	return filepath.Join(os.TempDir(), fmt.Sprintf("%s%d-%s", shelterPrefix, ownerOf(dataDir), hex.EncodeToString(sum[:6])), SocketName)
}

// makePlace makes the folder of a socket, for this user alone, when only that one is missing. One among the temporary files must
// be of this user: anybody may make folders there.
func makePlace(path string) error {
	dir := filepath.Dir(path)
	err := os.Mkdir(dir, 0o700)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return hint.Wrap(fmt.Errorf("admin: folder of the socket: %w", err), "make that folder, or choose another path")
	}
	if !sheltered(dir) {
		return nil
	}
	info, err := os.Lstat(dir)
	if err == nil && (!info.IsDir() || !private(info)) {
		err = hint.New(fmt.Sprintf("admin: %s is not a folder of this user alone", dir), "choose another path for the socket, or a shorter one for the data folder")
	}
	return err
}

// sheltered tells whether a folder is one that SocketPath names among the temporary files.
func sheltered(dir string) bool {
	return filepath.Dir(dir) == filepath.Clean(os.TempDir()) && strings.HasPrefix(filepath.Base(dir), shelterPrefix)
}

package admin

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/cmd/host/internal/shelter"
)

// SocketName is the name of the socket in the data folder.
const SocketName = "admin.sock"

// SocketPath is the socket of the host with a data folder.
func SocketPath(dataDir string) string { return placeOf(filepath.Join(dataDir, SocketName)).path }

// place is where a socket is.
type place struct {
	path    string
	dataDir string // in the shelter of which it is; empty: in none
}

// placeOf is where the socket of a path is: there or, when the path is too long for a socket and ends with SocketName, in the shelter of the
// folder that was meant. Listen and Dial find the same one.
func placeOf(path string) place {
	if filepath.Base(path) != SocketName {
		return place{path: path}
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if checkSocketPath(path) == nil {
		return place{path: path}
	}
	dataDir := filepath.Dir(path)
	return place{filepath.Join(shelter.Of(dataDir), SocketName), dataDir}
}

// make makes the folder of a socket, for this user alone, when only that one is missing.
func (p place) make() error {
	if p.dataDir != "" {
		_, err := shelter.Make(p.dataDir)
		return p.explain(err)
	}
	if err := os.Mkdir(filepath.Dir(p.path), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return hint.Wrap(fmt.Errorf("admin: folder of the socket: %w", err), "make that folder, or choose another path")
	}
	return nil
}

// check tells whether the socket is where only those who may run the host can have put it.
func (p place) check() error {
	if p.dataDir == "" {
		return nil
	}
	return p.explain(shelter.Check(p.dataDir))
}

func (p place) explain(err error) error {
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err = fmt.Errorf("admin: folder of the socket: %w", err)
	return hint.Wrap(err, "somebody else may have made it: choose another path for the socket, or a shorter one for the data folder")
}

package daemon

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/discv5/host/cmd/host/internal/plainfile"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// unusedName is a file in the data folder that names the node whose key was made at a start that failed before anything was
// published. It lets the next start begin at sequence number 1: a key that is merely found without its record may have
// published one, and goes on from the clock.
const unusedName = "unused"

const fileMode = 0o600

// takeUnused reports whether the key is marked as one that has published nothing, and takes the mark away: it must be gone
// before the node shows itself, so that it can never outlive a published record. A mark that cannot be taken away does not
// count.
func (id *identity) takeUnused() bool {
	path := filepath.Join(filepath.Dir(id.recordFile), unusedName)
	text, err := plainfile.Read(path, maxRecord)
	if err != nil || os.Remove(path) != nil || syncDir(filepath.Dir(path)) != nil {
		return false
	}
	if _, err := os.Lstat(id.recordFile); !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	return strings.TrimSpace(string(text)) == enode.PubkeyToIDV4(&id.key.PublicKey).String()
}

// markUnused is called when a start with an unpublished key fails. Without a mark, which is no reason to fail once more, the
// next start goes on from the clock.
func (id *identity) markUnused() {
	path := filepath.Join(filepath.Dir(id.recordFile), unusedName)
	_ = os.WriteFile(path, []byte(enode.PubkeyToIDV4(&id.key.PublicKey).String()+"\n"), fileMode)
}

// syncDir waits until what was removed from a folder is gone for good. Where folders cannot be opened there is nothing to
// wait for.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	_ = d.Sync() // not every system can
	return d.Close()
}

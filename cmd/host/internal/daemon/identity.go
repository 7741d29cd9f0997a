package daemon

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/discv5/host/cmd/host/internal/config"
	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/cmd/host/internal/keyfile"
	"github.com/discv5/host/cmd/host/internal/lockfile"
	"github.com/discv5/host/cmd/host/internal/plainfile"
	"github.com/discv5/host/sdk/fields"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// Files in the data folder.
const (
	lockName   = "lock"
	recordName = "record"
	dirMode    = 0o700
	maxRecord  = 4 << 10 // bytes; the text of a record has at most 404
)

// identity is who the node is and where it keeps what it must not forget.
type identity struct {
	lock       *lockfile.Lock
	key        *ecdsa.PrivateKey
	keyPath    string
	created    bool // the key was made just now
	fresh      bool // the key has published nothing yet: it was made now, or at a start that failed
	recordFile string
	lost       bool // the key may have published a record, and the file that should hold it does not
}

// openIdentity takes possession of the data folder, made when it is missing, and reads or makes the key.
func openIdentity(ctx context.Context, cfg *config.Config) (id *identity, err error) {
	const advice = "choose a folder this user may write with --data-dir"
	if cfg.DataDir == "" {
		return nil, hint.New("no data folder", "give one with --data-dir")
	}
	if err := os.MkdirAll(cfg.DataDir, dirMode); err != nil {
		return nil, hint.Wrap(fmt.Errorf("data folder: %w", err), advice)
	}
	id = &identity{keyPath: cfg.KeyPath(), recordFile: filepath.Join(cfg.DataDir, recordName)}
	lock, err := lockfile.Acquire(filepath.Join(cfg.DataDir, lockName))
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, lock.Release())
		}
	}()
	id.lock = lock
	if cfg.KeyFile != "" {
		id.key, err = keyfile.Load(ctx, id.keyPath)
	} else {
		id.key, id.created, err = keyfile.LoadOrCreate(ctx, id.keyPath)
	}
	if err != nil {
		return nil, err
	}
	if err := id.checkRecord(); err != nil {
		if id.created {
			id.markUnused()
		}
		return nil, err
	}
	id.fresh = id.created || id.takeUnused()
	id.lost = id.lost && !id.fresh
	return id, nil
}

// checkRecord refuses a folder that holds the record of another node, or something else in the place of one. A record that
// is damaged is the node's own business.
func (id *identity) checkRecord() error {
	text, err := plainfile.Read(id.recordFile, maxRecord)
	if errors.Is(err, plainfile.ErrNotRegular) {
		return hint.Wrap(fmt.Errorf("read the record: %w", err), "the host keeps its node record under that name; move what is there away, or choose another folder with --data-dir")
	}
	if err != nil {
		id.lost = true
		return nil
	}
	record, err := fields.Parse(string(text))
	id.lost = err != nil
	if err != nil || record.ID() == enode.PubkeyToIDV4(&id.key.PublicKey) {
		return nil
	}
	return hint.New(
		fmt.Sprintf("%s is the record of node %s, and the key %s is another node's", id.recordFile, record.ID().TerminalString(), id.keyPath),
		"use the key that belongs to this folder, or another folder with --data-dir")
}

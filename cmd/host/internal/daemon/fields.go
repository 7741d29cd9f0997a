package daemon

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/discv5/host/cmd/host/internal/admin"
	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/cmd/host/internal/plainfile"
	"github.com/discv5/host/core"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
)

const (
	fieldsName = "fields" // in the data folder: the fields that operators gave the record while the host ran
	maxFields  = 16 << 10 // bytes; a record has 300
)

// givenFields are the operator's pairs of the record, kept over restarts: the values in RLP, as hex with 0x.
type givenFields map[string]string

// readFields reads the file. That there is none is no error.
func readFields(path string) (givenFields, error) {
	text, err := plainfile.Read(path, maxFields)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var f givenFields
	if err == nil {
		err = json.Unmarshal(text, &f)
	}
	if err == nil {
		_, err = f.entries()
	}
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("fields of the record: %w", err),
			fmt.Sprintf("mend %s, or remove it: the record then has none until host enr set gives it some", path))
	}
	return f, nil
}

// entries are the fields in the terms of core.
func (f givenFields) entries() (all []enr.Entry, err error) {
	for _, key := range slices.Sorted(maps.Keys(f)) {
		raw, err := hex.DecodeString(strings.TrimPrefix(f[key], "0x"))
		if err == nil {
			_, _, rest, splitErr := rlp.Split(raw)
			if err = splitErr; err == nil && len(rest) > 0 {
				err = rlp.ErrMoreThanOneValue
			}
		}
		if err != nil {
			return nil, fmt.Errorf("the value of %q is not RLP in hex: %w", key, err)
		}
		all = append(all, enr.WithEntry(key, rlp.RawValue(raw)))
	}
	return all, nil
}

// write replaces the file as a whole.
func (f givenFields) write(path string) (err error) {
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), fieldsName+"-*") // readable by its owner
	if err != nil {
		return err
	}
	_, err = file.Write(append(text, '\n'))
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return syncDir(filepath.Dir(path))
}

type plainNode = admin.Node // its name must not be that of its method

// operated is the node for operators: the fields that they give its record outlive the host.
type operated struct {
	plainNode
	path string

	mu sync.Mutex // held while the file is written
}

// SetFields is that of the node.
func (o *operated) SetFields(ctx context.Context, owner string, set map[string]any, remove ...string) error {
	if err := o.plainNode.SetFields(ctx, owner, set, remove...); err != nil || owner != core.Operator {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	own, record := make(givenFields), o.Self()
	for _, f := range o.RecordUsage().Fields {
		var raw rlp.RawValue
		if f.Owner == core.Operator && record.Load(enr.WithEntry(f.Key, &raw)) == nil {
			own[f.Key] = "0x" + hex.EncodeToString(raw)
		}
	}
	if err := own.write(o.path); err != nil {
		return hint.Wrap(fmt.Errorf("the record has changed, but it will be as it was after a restart: %w", err), "make room on the disk, then set the fields again")
	}
	return nil
}

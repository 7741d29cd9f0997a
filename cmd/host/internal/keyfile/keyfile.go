package keyfile

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/cmd/host/internal/plainfile"
	"github.com/ethereum/go-ethereum/crypto"
)

const (
	keySize     = 32      // bytes of a secp256k1 private key
	maxFileSize = 1 << 10 // a key file has 65 bytes; more than this is some other file
	fileMode    = 0o600
	dirMode     = 0o700
)

// Load reads the key in the file at path. The pipe of a shell, see plainfile.Given, is read until ctx ends.
func Load(ctx context.Context, path string) (*ecdsa.PrivateKey, error) {
	data, mode, err := plainfile.ReadGiven(ctx, path, maxFileSize)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, hint.Wrap(fmt.Errorf("read key file: %w", err), "make a key with: host key new "+path)
	case errors.Is(err, plainfile.ErrNotRegular):
		return nil, hint.Wrap(fmt.Errorf("read key file: %w", err), "the key is 64 hex digits in a file; "+plainfile.GivenHelp)
	case errors.Is(err, plainfile.ErrTooLarge):
		return nil, notAKey(path, fmt.Errorf("longer than %d bytes, this is not a key", maxFileSize))
	case errors.Is(err, context.Canceled):
		return nil, hint.Wrap(fmt.Errorf("read key file: %w", err), "nothing came until host was told to stop; what writes to the pipe must close it")
	case err != nil:
		return nil, hint.Wrap(fmt.Errorf("read key file: %w", err), "the user that runs host must be able to read it")
	}
	key, err := parse(data)
	if err != nil {
		return nil, notAKey(path, err)
	}
	if mode.IsRegular() { // last: the mode of what is no key is none of our business
		if err := checkMode(path, mode); err != nil {
			return nil, err
		}
	}
	return key, nil
}

func notAKey(path string, err error) error {
	return hint.Wrap(fmt.Errorf("read key file %s: %w", path, err),
		"a key file holds 64 hex digits; restore it from a backup or make a new one with: host key new FILE")
}

func parse(data []byte) (*ecdsa.PrivateKey, error) {
	text := bytes.TrimPrefix(bytes.TrimSpace(data), []byte("0x"))
	if len(text) == 0 {
		return nil, errors.New("the file is empty")
	}
	if len(text) != hex.EncodedLen(keySize) {
		return nil, fmt.Errorf("%d characters, want %d hex digits", len(text), hex.EncodedLen(keySize))
	}
	var raw [keySize]byte
	if _, err := hex.Decode(raw[:], text); err != nil {
		return nil, errors.New("a character is not a hex digit") // err would quote a part of the key
	}
	key, err := crypto.ToECDSA(raw[:])
	if err != nil {
		return nil, errors.New("the number is not a valid secp256k1 key")
	}
	return key, nil
}

// Format returns the text of a key file that holds key.
func Format(key *ecdsa.PrivateKey) []byte {
	return append(hex.AppendEncode(nil, crypto.FromECDSA(key)), '\n')
}

// Create makes a random key and stores it at path, readable by the owner only; folders on the way are made. It never
// overwrites: an existing file is an fs.ErrExist. The file appears under its name complete or not at all.
func Create(path string) (*ecdsa.PrivateKey, error) {
	key, err := crypto.GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), dirMode); err != nil {
		return nil, hint.Wrap(fmt.Errorf("make key file: %w", err), "choose a folder this user may write with --data-dir or --key-file")
	}
	err = writeNew(path, Format(key))
	switch {
	case err == nil:
		return key, nil
	case errors.Is(err, fs.ErrExist):
		return nil, hint.Wrap(fmt.Errorf("make key file %s: %w", path, fs.ErrExist),
			"a key is a node's identity and is never overwritten; move the old file away first")
	default:
		return nil, hint.Wrap(fmt.Errorf("make key file: %w", err), "choose a folder this user may write with --data-dir or --key-file")
	}
}

// LoadOrCreate loads the key at path, or makes one when there is no such file; created tells which. Of two processes that
// do this at the same moment one makes the key and the other loads it.
func LoadOrCreate(ctx context.Context, path string) (key *ecdsa.PrivateKey, created bool, err error) {
	key, err = Load(ctx, path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, false, err
	}
	key, err = Create(path)
	if errors.Is(err, fs.ErrExist) {
		key, err = Load(ctx, path)
		return key, false, err
	}
	return key, err == nil, err
}

// writeNew writes a temporary file beside path and links it to its name, which fails when the name is taken. Where the
// file system has no links, the file is made under its name at once.
func writeNew(path string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".key-*") // CreateTemp opens with O_EXCL and mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if err := writeSync(tmp, data); err != nil {
		return err
	}
	err = os.Link(tmp.Name(), path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	if err := writeSync(f, data); err != nil {
		os.Remove(path)
		return err
	}
	return nil
}

func writeSync(f *os.File, data []byte) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

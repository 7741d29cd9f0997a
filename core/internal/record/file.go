package record

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// MaxFile is how many bytes a record's file may have: "enr:", 300 bytes in base64, and room for line ends.
const MaxFile = 512

// tempSuffix makes the name that a new file has while it is written. It is always the same, so that a crash leaves
// one such file at most, and the next write replaces it.
const tempSuffix = ".new"

// Read returns the record that a file holds, its signature checked, whoever signed it. The error is an fs.ErrNotExist,
// an ErrDamaged, or what the operating system says.
func Read(path string) (*enode.Node, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	return parse(text)
}

// parse reads the text of a file: one record in its text form, with space around it.
func parse(text []byte) (*enode.Node, error) {
	if len(text) > MaxFile {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrDamaged, MaxFile)
	}
	line := string(bytes.TrimSpace(text))
	// An enode URL has no signature; base64 would let line ends in the middle pass.
	if !strings.HasPrefix(line, "enr:") || strings.ContainsAny(line, "\r\n") {
		return nil, fmt.Errorf("%w: not one line that starts with %q", ErrDamaged, "enr:")
	}
	n, err := enode.Parse(enode.ValidSchemes, line)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return n, nil
}

// replace puts text into the file at path, as a whole or not at all, and returns when it is safe on the disk. After an
// error, replaced tells that the file may be the new one nevertheless.
func replace(path string, text []byte) (replaced bool, err error) {
	temp := path + tempSuffix
	if err := writeSynced(temp, text); err != nil {
		return false, errors.Join(err, removeFile(temp))
	}
	if err := os.Rename(temp, path); err != nil {
		return true, errors.Join(err, removeFile(temp))
	}
	return true, syncDir(filepath.Dir(path))
}

// writeSynced writes a file that anybody may read: a record is public.
func writeSynced(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// removeFile removes what a failed write has left. That there is nothing is no error.
func removeFile(path string) error {
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	return os.Remove(path)
}

// syncDir makes a rename in dir durable. Windows has no such call and does it by itself.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

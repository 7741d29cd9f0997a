package process

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// image is what is executed.
type image struct {
	path string
	file *os.File // keeps path valid until the process was started; may be nil
}

func (i *image) close() {
	if i.file != nil {
		i.file.Close()
	}
}

// openImage looks at a program. With a pin the bytes that are executed are a private copy of those that were checked, so
// that nobody can exchange them in between.
func openImage(path string, pin []byte, dir string) (*image, error) {
	fail := func(kind error, detail, hint string) (*image, error) {
		return nil, &StartError{Kind: kind, Path: path, Detail: detail, Hint: hint}
	}
	info, err := os.Stat(path)
	switch {
	case os.IsNotExist(err):
		return fail(ErrNotFound, "", "a path is relative to the configuration file that names it")
	case err != nil:
		return fail(ErrExec, err.Error(), "")
	case info.IsDir():
		return fail(ErrDirectory, "", "name the program in it")
	case !info.Mode().IsRegular():
		return fail(ErrNotExecutable, info.Mode().Type().String(), "name a program")
	case !executable(info):
		return fail(ErrNotExecutable, "", "chmod +x")
	}
	if pin == nil {
		return &image{path: path}, nil
	}
	src, err := os.Open(path)
	if err != nil {
		return fail(ErrExec, err.Error(), "a pinned program must be readable, so that its SHA-256 can be told")
	}
	defer src.Close()
	start := make([]byte, 2)
	if n, _ := io.ReadFull(src, start); n == 2 && string(start) == "#!" {
		return fail(ErrScript, "", "its interpreter would read the file again, after the check; pin a program, or leave out sha256")
	}
	if _, err := src.Seek(0, io.SeekStart); err != nil {
		return fail(ErrExec, err.Error(), "")
	}
	img, sum, err := copyImage(src, filepath.Join(dir, "program"))
	if err != nil {
		return fail(ErrExec, fmt.Sprintf("copy for the check: %v", err), "")
	}
	if !bytes.Equal(sum, pin) {
		img.close()
		return fail(ErrChecksum, fmt.Sprintf("it is %s, and %s is pinned", hex.EncodeToString(sum), hex.EncodeToString(pin)), "if you trust the program, pin the former")
	}
	return img, nil
}

// copyHashed copies src and returns the SHA-256 of what it has written.
func copyHashed(dst io.Writer, src io.Reader) ([]byte, error) {
	h := sha256.New()
	_, err := io.Copy(io.MultiWriter(dst, h), src)
	return h.Sum(nil), err
}

// copyFile makes a private copy of a program on the disk.
func copyFile(src *os.File, path string) (*image, []byte, error) {
	dst, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o700)
	if err != nil {
		return nil, nil, err
	}
	sum, err := copyHashed(dst, src)
	if closing := dst.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return nil, nil, err
	}
	return &image{path: path}, sum, nil
}

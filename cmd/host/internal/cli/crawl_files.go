package cli

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/cmd/host/internal/plainfile"
)

const resultMode = 0o644

// resultFile is a file that comes about when it is complete, or what w is in place of one.
type resultFile struct {
	io.Writer
	flag, path string
	part       *os.File // nil: w is written to
	direct     bool     // the path is a pipe or a device
}

func (c *crawling) createFile(flag, path string, w io.Writer) (*resultFile, error) {
	f := &resultFile{Writer: w, flag: flag, path: path}
	if path == "" {
		return f, nil
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, usage(c.cmd, hint.New(fmt.Sprintf("%s %s is a folder", flag, path), "name a file in it"))
	} else if err == nil && !info.Mode().IsRegular() {
		f.direct = true
	}
	var file *os.File
	var err error
	if f.direct {
		file, err = os.OpenFile(path, os.O_WRONLY, 0)
	} else {
		file, err = plainfile.Beside(path, resultMode)
	}
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("%s: %w", flag, err), "name a file in a folder that exists and that this user may write")
	}
	f.Writer, f.part = file, file
	return f, nil
}

// commit makes what was written the content of the file.
func (f *resultFile) commit() error {
	if f.part == nil {
		return nil
	}
	part := f.part
	f.part = nil
	err := part.Close()
	if !f.direct {
		if err == nil {
			err = os.Rename(part.Name(), f.path)
		}
		if err != nil {
			err = errors.Join(err, os.Remove(part.Name()))
		}
	}
	return f.failure(err)
}

// abandon removes what was written without commit.
func (f *resultFile) abandon() error {
	if f.part == nil {
		return nil
	}
	err := f.part.Close()
	if !f.direct {
		err = errors.Join(err, os.Remove(f.part.Name()))
	}
	f.part = nil
	return err
}

func (f *resultFile) failure(err error) error {
	if err == nil || f.path == "" {
		return err
	}
	advice := "is its disk full? What the file held before is still there"
	if f.direct {
		advice = "the output is not complete; is there room, and somebody who reads it?"
	}
	return hint.Wrap(fmt.Errorf("%s: %w", f.flag, err), advice)
}

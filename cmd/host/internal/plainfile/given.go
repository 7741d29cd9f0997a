package plainfile

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// GivenHelp is the advice for a path that is refused as ErrNotRegular where pipes from the shell are accepted.
const GivenHelp = "give a regular file; of pipes only those of the shell are read: <(command), or /dev/stdin after a |"

// Given reports whether path is a descriptor that this process was started with: /dev/stdin, /dev/fd/N, which shells write for
// <(command), or /proc/self/fd/N.
func Given(path string) bool {
	path = filepath.ToSlash(filepath.Clean(path))
	if path == "/dev/stdin" {
		return true
	}
	n, ok := strings.CutPrefix(path, "/dev/fd/")
	if !ok {
		n, ok = strings.CutPrefix(path, "/proc/self/fd/")
	}
	return ok && n != "" && strings.Trim(n, "0123456789") == ""
}

// ReadGiven is Read that also takes the pipe behind a path that is Given: whoever started us holds its other end. It waits for
// that end to be closed, until ctx ends; the error is ctx's then. The mode is that of the file or the pipe.
func ReadGiven(ctx context.Context, path string, limit int64) (data []byte, mode fs.FileMode, err error) {
	f, mode, err := openGiven(path)
	if err != nil {
		return nil, 0, err
	}
	if mode.IsRegular() {
		defer f.Close()
		data, err = readAll(f, path, limit)
		return data, mode, err
	}
	// A read ends at the deadline where the system can wait for pipes, and where it cannot we do not wait for the read.
	stop := context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	type result struct {
		data []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		defer f.Close()
		data, err := readAll(f, path, limit)
		done <- result{data, err}
	}()
	select {
	case r := <-done:
		if ctx.Err() == nil {
			return r.data, mode, r.err
		}
	case <-ctx.Done():
	}
	return nil, 0, fmt.Errorf("read %s: %w", path, ctx.Err())
}

func openGiven(path string) (*os.File, fs.FileMode, error) {
	info, err := os.Stat(path)
	if err != nil || !Given(path) || info.Mode()&fs.ModeNamedPipe == 0 {
		f, info, err := Open(path)
		if err != nil {
			return nil, 0, err
		}
		return f, info.Mode(), nil
	}
	f, err := os.OpenFile(path, os.O_RDONLY|dontWait, 0)
	if err != nil {
		return nil, 0, err
	}
	if info, err = f.Stat(); err == nil && info.Mode()&fs.ModeNamedPipe == 0 {
		err = check(path, info)
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Mode(), nil
}

package main

import (
	"bytes"
	"encoding/binary"
	"time"

	"github.com/discv5/host/sdk"
)

// An entry lies in the server as version (8 bytes), expiry in Unix milliseconds (8 bytes, 0: never), value. Numbers are big-endian; the
// scripts read them too.
const headerSize = 8 + 8

func encode(e sdk.Entry) []byte {
	b := make([]byte, 0, headerSize+len(e.Value))
	b = binary.BigEndian.AppendUint64(b, e.Version)
	b = binary.BigEndian.AppendUint64(b, millis(e.Expires))
	return append(b, e.Value...)
}

// decode reports false for what is no entry.
func decode(key []byte, text string) (e sdk.Entry, ok bool) {
	if len(text) < headerSize {
		return e, false
	}
	b := []byte(text)
	e = sdk.Entry{Key: key, Version: binary.BigEndian.Uint64(b), Value: b[headerSize:]}
	if ms := binary.BigEndian.Uint64(b[8:]); ms != 0 {
		e.Expires = time.UnixMilli(int64(ms))
	}
	return e, true
}

// millis returns the Unix milliseconds of a time, at least 1. The zero time is 0, never.
func millis(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(max(t.UnixMilli(), 1))
}

// bounds returns the range of the index that a scan covers, as ZRANGEBYLEX has it.
func bounds(prefix, after []byte) (low, high string) {
	low, high = "["+string(prefix), "+"
	if len(prefix) == 0 {
		low = "-"
	}
	if len(after) > 0 && bytes.Compare(after, prefix) >= 0 {
		low = "(" + string(after)
	}
	if end := behind(prefix); end != nil {
		high = "(" + string(end)
	}
	return low, high
}

// behind returns the first key behind all that begin with prefix; nil: there is none.
func behind(prefix []byte) []byte {
	end := bytes.TrimRight(prefix, "\xff")
	if len(end) == 0 {
		return nil
	}
	end = bytes.Clone(end)
	end[len(end)-1]++
	return end
}

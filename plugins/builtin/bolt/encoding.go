package bolt

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"time"

	"github.com/discv5/host/sdk"
)

// An entry lies in the file as checksum (4 bytes, CRC-32C of the key and of all that follows), version (8), expiry in Unix
// milliseconds (8, 0: never), value. Numbers are big-endian.
const headerSize = 4 + 8 + 8

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errEntry = errors.New("an entry does not fit its checksum")

// stored is an entry as it lies in the file. Its slices are the file's.
type stored struct {
	version uint64
	expires uint64 // Unix milliseconds, 0: never
	value   []byte
}

func parseStored(key, b []byte) (stored, error) {
	if len(b) < headerSize || binary.BigEndian.Uint32(b) != checksum(key, b[4:]) {
		return stored{}, errEntry
	}
	return stored{binary.BigEndian.Uint64(b[4:]), binary.BigEndian.Uint64(b[12:]), b[headerSize:]}, nil
}

func (s stored) append(dst, key []byte) []byte {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint64(dst, s.version)
	dst = binary.BigEndian.AppendUint64(dst, s.expires)
	dst = append(dst, s.value...)
	binary.BigEndian.PutUint32(dst[start:], checksum(key, dst[start+4:]))
	return dst
}

func checksum(key, rest []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, rest)
}

func (s stored) expired(now time.Time) bool { return s.expires != 0 && s.expires <= millis(now) }

// entry copies what the file has into an entry that outlives the transaction.
func (s stored) entry(key []byte) sdk.Entry {
	e := sdk.Entry{Key: append([]byte(nil), key...), Value: append([]byte(nil), s.value...), Version: s.version}
	if s.expires != 0 {
		e.Expires = time.UnixMilli(int64(s.expires))
	}
	return e
}

// millis returns the Unix milliseconds of a time, rounded down, at least 1. The zero time is 0, never.
func millis(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(max(t.UnixMilli(), 1))
}

// expiryKey is a key of the bucket expiry: the time first, so that the order is that of the times.
func expiryKey(expires uint64, key []byte) []byte {
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(key)), expires), key...)
}

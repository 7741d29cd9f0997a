package main

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/discv5/host/sdk"
	"github.com/jackc/pgx/v5"
)

// sorted returns what is left of a batch that is put in its order, sorted by keys: rows of one statement must differ, and
// hosts that lock rows in one order do not wait for each other in a circle.
func sorted(entries []sdk.Entry, now time.Time) []sdk.Entry {
	last := make(map[string]sdk.Entry, len(entries))
	for _, e := range entries {
		before, there := last[string(e.Key)]
		expired := !before.Expires.IsZero() && !now.Before(before.Expires)
		if !there || expired || e.Version >= before.Version {
			last[string(e.Key)] = e
		}
	}
	left := make([]sdk.Entry, 0, len(last))
	for _, e := range last {
		left = append(left, e)
	}
	slices.SortFunc(left, func(a, b sdk.Entry) int { return bytes.Compare(a.Key, b.Key) })
	return left
}

// doomed returns what is left of a batch that is deleted, sorted like sorted.
func doomed(entries []sdk.Entry) []sdk.Entry {
	left := slices.Clone(entries)
	slices.SortFunc(left, func(a, b sdk.Entry) int { // of one key the largest version first
		return cmp.Or(bytes.Compare(a.Key, b.Key), cmp.Compare(b.Version, a.Version))
	})
	return slices.CompactFunc(left, func(a, b sdk.Entry) bool { return bytes.Equal(a.Key, b.Key) })
}

// expiry is a time as a column has it.
func expiry(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = time.UnixMilli(max(t.UnixMilli(), 1))
	return &t
}

// entryColumns are those that scanEntry reads. Versions travel as text: they have 64 bits and no sign.
const entryColumns = "key, version::text, expires, value"

func scanEntry(row pgx.CollectableRow) (e sdk.Entry, err error) {
	var version string
	var expires *time.Time
	if err := row.Scan(&e.Key, &version, &expires, &e.Value); err != nil {
		return sdk.Entry{}, err
	}
	if expires != nil {
		e.Expires = *expires
	}
	e.Version, err = strconv.ParseUint(version, 10, 64)
	return e, err
}

func versionText(v uint64) string { return strconv.FormatUint(v, 10) }

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

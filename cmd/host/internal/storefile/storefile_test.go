package storefile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/discv5/host/core"
	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"google.golang.org/protobuf/proto"
)

// memory is a store.
type memory struct {
	entries map[string]core.Entry
	fails   int // puts left until one fails; negative: none does
}

func newMemory() *memory { return &memory{entries: make(map[string]core.Entry), fails: -1} }

var errDown = errors.New("down")

func (m *memory) Put(_ context.Context, entries []core.Entry) error {
	if m.fails == 0 {
		return errDown
	}
	m.fails--
	for _, e := range entries {
		if old, ok := m.entries[string(e.Key)]; !ok || old.Version <= e.Version {
			m.entries[string(e.Key)] = e
		}
	}
	return nil
}

func (m *memory) Get(_ context.Context, keys [][]byte) (found []core.Entry, err error) {
	for _, key := range keys {
		if e, ok := m.entries[string(key)]; ok {
			found = append(found, e)
		}
	}
	return found, nil
}

func (m *memory) Scan(_ context.Context, prefix, after []byte, limit int) (found []core.Entry, err error) {
	for _, key := range slices.Sorted(maps.Keys(m.entries)) {
		if strings.HasPrefix(key, string(prefix)) && key > string(after) && len(found) < limit {
			found = append(found, m.entries[key])
		}
	}
	return found, nil
}

func (m *memory) Delete(context.Context, []core.Entry) error { return errDown }

// now has no part below a millisecond, like what is stored.
var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func record(t testing.TB, number int, seq uint64) *enode.Node {
	t.Helper()
	key, err := crypto.ToECDSA(crypto.Keccak256(fmt.Append(nil, number)))
	if err != nil {
		t.Fatal(err)
	}
	var r enr.Record
	r.Set(enr.IPv4Addr(netip.AddrFrom4([4]byte{192, 0, 2, byte(number)})))
	r.Set(enr.UDP(9000))
	r.SetSeq(seq)
	if err := enode.SignV4(&r, key); err != nil {
		t.Fatal(err)
	}
	n, err := enode.New(enode.ValidSchemes, &r)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// full is a store with nodes, contacts and entries of a host, more than a page.
func full(t testing.TB) *memory {
	m := newMemory()
	var in bytes.Buffer
	for i := range pageSize + 20 {
		first, expires := now.Add(-time.Duration(i)*time.Hour), now.Add(time.Hour)
		n := record(t, i, uint64(i+1))
		l := Line{NodeID: n.ID().String(), ENR: n.String(), Expires: &expires, Contact: &Contact{
			Addr: netip.MustParseAddrPort("192.0.2.1:9000"), Seen: now.Add(-time.Minute), First: &first, RTT: 0.0125, Checks: uint32(i), Expires: &expires,
		}}
		if i%3 == 0 {
			l.Contact = nil
		}
		if err := write(&in, &l); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := Import(context.Background(), m, &in, now, true, func(line string) { t.Error(line) }); err != nil || n.Nodes != pageSize+20 {
		t.Fatal(n, err)
	}
	for i, key := range []string{"host/aa/ban/1", "host/aa/ban/2", "host/bb/space/x"} {
		m.entries[key] = core.Entry{Key: []byte(key), Value: []byte{0, 0xff, byte(i)}, Version: uint64(i), Expires: now.Add(time.Duration(i+1) * time.Hour)}
	}
	return m
}

func TestMoves(t *testing.T) {
	from, to := full(t), newMemory()
	var file bytes.Buffer
	out, err := Export(context.Background(), from, &file, true, func(line string) { t.Error(line) })
	if err != nil || out.Nodes != pageSize+20 || out.Others != 3 || out.Damaged != 0 {
		t.Fatal(out, err)
	}
	for range 2 {
		in, err := Import(context.Background(), to, bytes.NewReader(file.Bytes()), now, true, func(line string) { t.Error(line) })
		if err != nil || in != (Imported{Nodes: pageSize + 20, Others: 3}) {
			t.Fatal(in, err)
		}
		if len(to.entries) != len(from.entries) {
			t.Errorf("%d of %d entries", len(to.entries), len(from.entries))
		}
		for key, e := range from.entries {
			if got := to.entries[key]; !bytes.Equal(got.Value, e.Value) || got.Version != e.Version || !got.Expires.Equal(e.Expires) {
				t.Errorf("%s: %+v became %+v", key, e, got)
			}
		}
	}
	alone := newMemory()
	in, err := Import(context.Background(), alone, bytes.NewReader(file.Bytes()), now, false, func(line string) { t.Error(line) })
	if err != nil || in != (Imported{Nodes: pageSize + 20, LeftOut: 3}) || len(alone.entries) != len(from.entries)-3 {
		t.Error("what hosts keep for themselves is taken from a file without being asked", in, err)
	}
	file.Reset()
	if out, err := Export(context.Background(), from, &file, false, nil); err != nil || out.Others != 0 || strings.Contains(file.String(), "host/") {
		t.Error("what hosts keep for themselves is told without being asked", out, err)
	}
}

func TestNewerStays(t *testing.T) {
	s, old, fresh := newMemory(), record(t, 1, 5), record(t, 1, 6)
	file := func(n *enode.Node) *strings.Reader { return strings.NewReader(fmt.Sprintf(`{"enr":%q}`, n.String())) }
	for _, n := range []*enode.Node{fresh, old} {
		if in, err := Import(context.Background(), s, file(n), now, true, func(line string) { t.Error(line) }); err != nil || in.Nodes != 1 {
			t.Fatal(in, err)
		}
	}
	if e := s.entries["node/"+old.ID().String()]; e.Version != 6 {
		t.Errorf("version %d", e.Version)
	}
}

func TestWrongLines(t *testing.T) {
	n, other := record(t, 1, 5), record(t, 2, 5)
	forged := n.String()[:len(n.String())-8] + "AAAAAAAA"
	long := strings.Repeat("x", 3*maxLine)
	contact := func(what string) string {
		return fmt.Sprintf(`{"enr":%q,"contact":{"addr":"192.0.2.1:1","seen":"2026-03-01T11:00:00Z"%s}}`, n.String(), what)
	}
	for _, test := range []struct{ line, says string }{
		{`{}`, "neither"},
		{`nonsense`, "it is not JSON; a line of an export is one object"},
		{`{"enr":`, "it is not JSON"},
		{`[]`, "it is no object"},
		{`{"enr":7}`, `"enr" cannot be a number`},
		{`{"key":"host/a","value":"?"}`, "another form"},
		{contact(`,"addr":"x"`), "another form"},
		{contact(`,"seen":"yesterday"`), "another form"},
		{`{"enr":"enr:abc"}`, "record"},
		{fmt.Sprintf(`{"enr":%q}`, forged), "record"},
		{fmt.Sprintf(`{"enr":%q,"nodeId":%q}`, n.String(), other.ID()), "not of"},
		{fmt.Sprintf(`{"enr":%q,"key":"host/a"}`, n.String()), "both"},
		{`{"key":"node/aa","value":"AA=="}`, "not of a host"},
		{`{"key":"host/` + strings.Repeat("k", 512) + `"}`, "bytes"},
		{`{"key":"host/a","version":9223372036854775808}`, "out of range"},
		{contact(`,"addr":"0.0.0.0:1"`), "no address"},
		{contact(`,"addr":"192.0.2.1:0"`), "no address"},
		{contact(`,"seen":"2026-03-01T13:00:00Z"`), "seen"},
		{contact(`,"seen":"1969-03-01T13:00:00Z"`), "seen"},
		{contact(`,"rttSeconds":-1`), "round trip"},
		{long, "more than"},
	} {
		s := newMemory()
		var told []string
		in := strings.NewReader("\n" + test.line + "\n\n" + contact("") + "\n" + test.line)
		got, err := Import(context.Background(), s, in, now, true, func(line string) { told = append(told, line) })
		if err != nil || got != (Imported{Nodes: 1, Wrong: 2}) || len(s.entries) != 2 {
			t.Errorf("%.80s: %+v, %v", test.line, got, err)
		}
		if len(told) != 2 || !strings.HasPrefix(told[0], "line 2 ") || !strings.HasPrefix(told[1], "line 5 ") || !strings.Contains(told[0], test.says) {
			t.Errorf("%.80s: told %.200q", test.line, told)
		}
	}
}

func TestExpiredLines(t *testing.T) {
	n := record(t, 1, 5)
	s := newMemory()
	in := fmt.Sprintf(`{"enr":%q,"expires":"2026-02-28T00:00:00Z"}
{"enr":%q,"contact":{"addr":"192.0.2.1:1","seen":"2026-02-01T11:00:00Z"}}
{"key":"host/a","expires":"2026-02-28T00:00:00Z"}`, n, n)
	got, err := Import(context.Background(), s, strings.NewReader(in), now, true, func(line string) { t.Error(line) })
	if err != nil || got != (Imported{Expired: 3}) || len(s.entries) != 0 {
		t.Error(got, err)
	}
	// Nobody makes a node live for ever.
	in = fmt.Sprintf(`{"enr":%q,"expires":"2999-02-28T00:00:00Z"}`, n)
	if _, err := Import(context.Background(), s, strings.NewReader(in), now, true, nil); err != nil {
		t.Fatal(err)
	}
	if e := s.entries["node/"+n.ID().String()]; !e.Expires.Equal(now.Add(nodeLife)) {
		t.Errorf("it expires at %v", e.Expires)
	}
}

func TestImportGoesOn(t *testing.T) {
	from, to := full(t), newMemory()
	var file bytes.Buffer
	if _, err := Export(context.Background(), from, &file, true, nil); err != nil {
		t.Fatal(err)
	}
	to.fails = 1
	if _, err := Import(context.Background(), to, bytes.NewReader(file.Bytes()), now, true, nil); !errors.Is(err, errDown) || !strings.Contains(err.Error(), "line") {
		t.Fatal(err)
	}
	if len(to.entries) == 0 || len(to.entries) == len(from.entries) {
		t.Fatalf("%d entries were imported before the store failed", len(to.entries))
	}
	to.fails = -1
	if _, err := Import(context.Background(), to, bytes.NewReader(file.Bytes()), now, true, nil); err != nil || len(to.entries) != len(from.entries) {
		t.Errorf("%d of %d entries, %v", len(to.entries), len(from.entries), err)
	}
}

func TestDamagedStore(t *testing.T) {
	s, n := newMemory(), record(t, 1, 1)
	record, err := proto.Marshal(&pluginpb.StoredNode{Record: []byte{0xc0}})
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range map[string][]byte{"node/zz": {1}, "node/" + n.ID().String(): record, "seen/" + n.ID().String(): {0xff}} {
		s.entries[key] = core.Entry{Key: []byte(key), Value: value}
	}
	var told []string
	out, err := Export(context.Background(), s, &bytes.Buffer{}, true, func(line string) { told = append(told, line) })
	if err != nil || out != (Exported{Damaged: 2}) || len(told) != 2 {
		t.Error(out, err, told)
	}
	if got, err := Count(context.Background(), s, now); err != nil || got.Nodes != 2 || got.Contacts != 1 || got.Damaged != 3 {
		t.Error(got, err)
	}
}

func TestCount(t *testing.T) {
	got, err := Count(context.Background(), full(t), now)
	want := Stats{Nodes: pageSize + 20, Contacts: 354, Recent: 354, Hosts: 2, Bans: 2, Others: 1}
	got.Bytes = 0
	if got.Oldest == nil || !got.Oldest.Equal(now.Add(-time.Minute)) || !got.Newest.Equal(*got.Oldest) {
		t.Errorf("contacts from %v to %v", got.Oldest, got.Newest)
	}
	got.Oldest, got.Newest = nil, nil
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
}

func FuzzLine(f *testing.F) {
	n := record(f, 1, 1)
	f.Add([]byte(fmt.Sprintf(`{"enr":%q,"contact":{"addr":"192.0.2.1:1","seen":"2026-03-01T11:00:00Z","rttSeconds":1e300}}`, n)))
	f.Add([]byte(`{"key":"host/a","value":"AA==","expires":"9999-12-31T00:00:00Z"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var l Line
		if json.Unmarshal(text, &l) != nil {
			return
		}
		entries, err := l.entries(now)
		if (err == nil) != (len(entries) > 0) {
			t.Errorf("%d entries and %v", len(entries), err)
		}
		for _, e := range entries {
			if len(e.Key) == 0 || len(e.Key) > maxKey || len(e.Value) > maxValue || !e.Expires.IsZero() && !e.Expires.After(now) {
				t.Errorf("entry %+v", e)
			}
		}
	})
}

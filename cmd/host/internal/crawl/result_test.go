package crawl

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/discv5/host/sdk/fields"
	"github.com/discv5/host/sdk/forks"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
)

// two is a finished crawl of a beacon node that answered and an unknown one that did not.
func two(t *testing.T) *Machine {
	t.Helper()
	m := NewMachine(config())
	m.Add(begin, signed(t, keyOf(t, 1), 7, []string{"8.8.8.8:9000"}, fields.Eth2{ForkDigest: fields.Bytes4{1, 2, 3, 4}}, fields.Client{Name: "=Evil\n", Version: "1"}))
	m.Add(begin, signed(t, keyOf(t, 2), 1, []string{"9.9.9.9:9000"}))
	drive(t, m, begin, func(_ time.Time, ask Ask) ([]*enode.Node, Reason) {
		if ask.Addr.Port() == 9000 && ask.Addr.Addr().String() == "9.9.9.9" {
			return nil, Timeout
		}
		return nil, ""
	})
	return m
}

func TestResult(t *testing.T) {
	for r := range two(t).Results(nil) {
		if r.IP == "9.9.9.9" {
			if r.Alive || r.Network != "unknown" || r.Error != "timeout" {
				t.Errorf("the silent node: %+v", r)
			}
			continue
		}
		r.ENR, r.NodeID = "", ""
		rtt := 0.001
		want := Result{
			IP: "8.8.8.8", Port: 9000, Family: "ipv4", Alive: true, RTT: &rtt, FirstSeen: "2026-01-02T03:04:05.000Z", LastSeen: r.LastSeen, Seq: 7,
			Client: `"=Evil\n"`, Network: "consensus", ForkDigest: "0x01020304", Fields: []string{"client", "eth2", "id", "ip", "secp256k1", "udp"},
		}
		if !reflect.DeepEqual(r, want) {
			t.Errorf("%+v, want %+v", r, want)
		}
		if !strings.HasPrefix(r.LastSeen, "2026-01-02T03:04:0") {
			t.Errorf("last seen %q", r.LastSeen)
		}
	}
}

// Nodes on the schedule of a network are named after it, whatever the time.
func TestNetworkOf(t *testing.T) {
	mainnet, ok := forks.Default().Network("mainnet")
	if !ok {
		t.Fatal("no schedule of mainnet")
	}
	id := mainnet.Execution.ID(begin)
	for want, pairs := range map[string][]enr.Entry{
		"mainnet":   {fields.Eth{ForkID: id}},
		"execution": {fields.Eth{ForkID: fields.ForkID{Hash: fields.Bytes4{1}}}},
		"waku":      {fields.Waku2(1)},
		"unknown":   nil,
	} {
		n := signed(t, keyOf(t, 1), 1, []string{"8.8.8.8:9000"}, pairs...)
		if got := NetworkOf(n, begin); got != want {
			t.Errorf("network %q, want %q", got, want)
		}
	}
}

// Both formats hold the same, and what is filtered out is in neither.
func TestWrite(t *testing.T) {
	m := two(t)
	var lines, table bytes.Buffer
	count := 0
	see := func(*Result) { count++ }
	if err := errors.Join(Write(&lines, "jsonl", m.Results(nil), see), Write(&table, "csv", m.Results(nil), see)); err != nil {
		t.Fatal(err)
	}
	if count != 4 {
		t.Errorf("%d results were seen, want 2 of each format", count)
	}
	rows, err := csv.NewReader(&table).ReadAll()
	if err != nil || len(rows) != 3 {
		t.Fatalf("%d rows, error %v", len(rows), err)
	}
	for i, line := range strings.Split(strings.TrimSpace(lines.String()), "\n") {
		var values map[string]any
		if err := json.Unmarshal([]byte(line), &values); err != nil {
			t.Fatal(err)
		}
		if len(values) != len(rows[0]) {
			t.Errorf("%d values in JSON, %d in CSV", len(values), len(rows[0]))
		}
		for j, name := range rows[0] {
			v, ok := values[name]
			want := fmt.Sprint(v)
			switch name {
			case "fields":
				want = strings.Trim(want, "[]")
			case "rttSeconds":
				if want = ""; v != nil {
					want = "0.001000"
				}
			}
			if !ok || rows[i+1][j] != want {
				t.Errorf("line %d, %s: %q in CSV, %q in JSON (%v)", i+1, name, rows[i+1][j], want, ok)
			}
		}
	}
	lines.Reset()
	has := func(n *enode.Node) bool { _, err := fields.Load[fields.Eth2](n); return err == nil }
	if err := Write(&lines, "jsonl", m.Results(has), see); err != nil || strings.Count(lines.String(), "\n") != 1 {
		t.Errorf("with a filter: %v\n%s", err, lines.String())
	}
	if err := Write(&lines, "xml", m.Results(nil), see); err == nil {
		t.Error("an unknown format is accepted")
	}
}

type fullDisk struct{}

var errFull = errors.New("disk full")

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func TestWriteFails(t *testing.T) {
	for _, format := range Formats {
		if err := Write(fullDisk{}, format, two(t).Results(nil), func(*Result) {}); !errors.Is(err, errFull) {
			t.Errorf("%s: %v, want the error of the disk", format, err)
		}
	}
}

func TestSummary(t *testing.T) {
	m := two(t)
	s := NewSummary(Complete, begin, 90*time.Second, m.Counts())
	for r := range m.Results(nil) {
		s.Count(&r)
	}
	var b strings.Builder
	if err := s.Print(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"crawl: complete after 1m30s; 5 requests, 3 answers\n", "nodes: 2 known, 1 alive, 1 dead, 0 not asked\n",
		"  consensus                     1        1\n", "  unknown                       1        0\n", "  0x01020304                    1        1\n",
		"  timeout                       1        0\n", "  ipv4                          2        1\n", `  "=Evil\n"                     1        1`,
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the summary lacks %q:\n%s", want, b.String())
		}
	}
}

// Strangers choose what is counted, but not how much.
func TestGroupIsBounded(t *testing.T) {
	g := Group{}
	for i := range 3 * maxValues {
		g.count(fmt.Sprint(i), i%2 == 0)
	}
	if len(g) != maxValues+1 || g["(others)"].Nodes != 2*maxValues || g["(others)"].Alive != maxValues {
		t.Errorf("%d values, others %+v", len(g), g["(others)"])
	}
}

func TestPlainName(t *testing.T) {
	for text, want := range map[string]string{
		"Geth": "Geth", "erigon/v3.1-rc.2": "erigon/v3.1-rc.2", "=1+2": `"=1+2"`, "a\x1b[2J": `"a\x1b[2J"`, "": "", "-x": `"-x"`,
		strings.Repeat("x", 99): strings.Repeat("x", maxClient),
	} {
		if got := plainName(text); got != want {
			t.Errorf("%q is shown as %s, want %s", text, got, want)
		}
	}
}

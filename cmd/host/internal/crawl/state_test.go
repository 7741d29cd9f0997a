package crawl

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/cmd/host/internal/lockfile"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// journalOf is a journal with facts.
func journalOf(facts []Fact) []byte {
	b := appendHeader(nil)
	for _, f := range facts {
		b = appendFact(b, f)
	}
	return b
}

func restored(t *testing.T, now time.Time, journal []byte) *Machine {
	t.Helper()
	saved, _, _, err := readJournal(bytes.NewReader(journal))
	if err != nil {
		t.Fatal(err)
	}
	m := NewMachine(config())
	if err := m.Restore(now, time.Hour, saved); err != nil {
		t.Fatal(err)
	}
	return m
}

// A crawl that is killed and resumed finds what it would have found, and asks nobody again whom it had asked to the end.
func TestResume(t *testing.T) {
	s := newSwarm(t, 300, 30, 16)
	whole := NewMachine(config())
	whole.Add(begin, s.order[0].node)
	s.crawl(whole, begin, never)
	want := make(map[string]string)
	for r := range whole.Results(nil) {
		want[r.NodeID] = fmt.Sprint(r.Alive, r.ReportedBy, r.Seq, r.Error)
	}

	for _, stop := range []int{1, 20, 150, 800, 2000} {
		s := newSwarm(t, 300, 30, 16)
		first := NewMachine(config())
		first.Add(begin, s.order[0].node)
		now := s.crawl(first, begin, func() bool { return s.requests >= stop })
		journal := journalOf(first.Facts())
		journal = journal[:len(journal)-len(journal)/50] // the last write was cut short
		second := restored(t, now, journal)
		second.Add(now, s.order[0].node) // whom the command names
		finished := make(map[enode.ID]int)
		for _, e := range second.entries {
			if e.phase == done {
				finished[e.id] = s.asked[e.id]
			}
		}
		if stop >= 2000 && len(finished) == 0 {
			t.Errorf("stop after %d requests: nobody was finished", stop)
		}
		for _, m := range s.order {
			m.busy = 0
		}
		s.crawl(second, now.Add(time.Minute), never)
		for id, asked := range finished {
			if s.asked[id] != asked {
				t.Errorf("stop after %d requests: %v was asked again", stop, id)
			}
		}
		got := make(map[string]string)
		for r := range second.Results(nil) {
			if _, double := got[r.NodeID]; double {
				t.Errorf("stop after %d requests: %s twice", stop, r.NodeID)
			}
			got[r.NodeID] = fmt.Sprint(r.Alive, r.ReportedBy, r.Seq, r.Error)
		}
		if len(got) != len(want) {
			t.Errorf("stop after %d requests: %d nodes, want %d", stop, len(got), len(want))
		}
		for id, w := range want {
			if got[id] != w {
				t.Errorf("stop after %d requests: %s is %s, want %s", stop, id, got[id], w)
			}
		}
	}
}

// Everybody is asked again after the longest age, and what is old is remembered.
func TestMaxAge(t *testing.T) {
	s := newSwarm(t, 30, 3, 16)
	m := NewMachine(config())
	m.Add(begin, s.order[0].node)
	now := s.crawl(m, begin, never)
	journal := journalOf(m.Facts())
	if again := restored(t, now, journal); !again.Done() || again.Counts().Alive != 27 || again.Counts().Dead != 3 {
		t.Errorf("%+v at once, want 27 alive, 3 dead and nobody to ask", again.Counts())
	}
	later := restored(t, now.Add(2*time.Hour), journal)
	if c := later.Counts(); c.Waiting != 30 || c.Alive != 0 {
		t.Errorf("%+v two hours later, want 30 waiting", c)
	}
	for r := range later.Results(nil) {
		if r.Error != string(NotAsked) || r.FirstSeen == "" || !s.members[enode.HexID(r.NodeID)].dead && r.LastSeen == "" {
			t.Errorf("%+v, want it not asked, and its times", r)
		}
	}
	if past := restored(t, begin.Add(-24*time.Hour), journal); past.Done() {
		t.Error("with a clock set back nobody is asked")
	}
}

// A journal that ends anywhere is read up to there; a damaged line elsewhere is an error that names it.
func TestJournalDamage(t *testing.T) {
	s := newSwarm(t, 6, 1, 16)
	m := NewMachine(config())
	m.Add(begin, s.order[0].node)
	s.crawl(m, begin, never)
	journal := journalOf(m.Facts())
	lines := bytes.SplitAfter(journal, []byte("\n"))
	for n := range len(journal) {
		saved, _, size, err := readJournal(bytes.NewReader(journal[:n]))
		if err != nil {
			t.Fatalf("the first %d bytes: %v", n, err)
		}
		if size > int64(n) || len(saved) > 6 {
			t.Fatalf("the first %d bytes: %d nodes in %d bytes", n, len(saved), size)
		}
		if again := journal[:size]; n > 0 && len(again) > 0 && again[len(again)-1] != '\n' {
			t.Fatalf("the first %d bytes: the last line kept is not whole", n)
		}
	}
	for i := range lines[:len(lines)-2] {
		damaged := bytes.Join([][]byte{bytes.Join(lines[:i], nil), {0, 0, '\n'}, bytes.Join(lines[i+1:], nil)}, nil)
		_, _, _, err := readJournal(bytes.NewReader(damaged))
		if i == 0 && !errors.Is(err, errNoJournal) {
			t.Errorf("without a header: %v", err)
		}
		if i > 0 && (err == nil || !strings.Contains(err.Error(), fmt.Sprintf("line %d is damaged", i+1))) {
			t.Errorf("line %d damaged: %v", i+1, err)
		}
	}
	for _, other := range []string{"hello\n", "{}\n", strings.Repeat("x", 100_000), "hello"} {
		if _, _, _, err := readJournal(strings.NewReader(other)); !errors.Is(err, errNoJournal) {
			t.Errorf("%.10q: %v, want that it is no journal", other, err)
		}
	}
	if _, _, _, err := readJournal(strings.NewReader("{\"host_crawl\":2}\n")); err == nil || !strings.Contains(err.Error(), "form 2") {
		t.Errorf("a later form: %v", err)
	}
}

// What a line says about other nodes is checked.
func TestJournalReferences(t *testing.T) {
	head := string(appendHeader(nil)) + string(appendFact(nil, Fact{Record: encode(signed(t, keyOf(t, 1), 1, nil))}))
	for _, line := range []string{
		`{"i":1,"done":{}}`, `{"i":0,"done":{"reports":[7]}}`, `{"i":5,"enr":"enr:AA"}`, `{"i":0,"done":{"addr":"x"}}`, `{"i":1}`,
		strings.TrimSpace(string(appendFact(nil, Fact{Index: 9, Record: encode(signed(t, keyOf(t, 2), 1, nil))}))),
	} {
		if _, _, _, err := readJournal(strings.NewReader(head + line + "\n\n")); err == nil || !strings.Contains(err.Error(), "line 3") {
			t.Errorf("%s: %v, want an error about line 3", line, err)
		}
	}
}

func TestState(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	open := func() (*State, []Saved) {
		t.Helper()
		s, saved, err := OpenState(path, begin, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return s, saved
	}
	s, saved := open()
	if len(saved) != 0 {
		t.Fatalf("a new state knows %d nodes", len(saved))
	}
	if _, _, err := OpenState(path, begin, time.Hour); !errors.Is(err, lockfile.ErrHeld) || !strings.Contains(hint.Of(err), "--state") {
		t.Errorf("a second crawl: %v, hint %q", err, hint.Of(err))
	}
	alive, dead := signed(t, keyOf(t, 1), 1, nil), signed(t, keyOf(t, 2), 1, nil)
	facts := []Fact{
		{Index: 0, At: begin, Record: encode(dead)}, {Index: 1, At: begin, Record: encode(alive)},
		{Index: 0, At: begin.Add(-2 * time.Hour), Done: &Outcome{Reason: Timeout}},
		{Index: 1, At: begin, Done: &Outcome{Alive: true, Reports: []uint32{1}}},
	}
	if err := errors.Join(s.Append(facts), s.Close()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(read(t, path), `{"i":1,"do`...), stateMode); err != nil {
		t.Fatal(err)
	}
	s, saved = open()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if len(saved) != 1 || !bytes.Equal(saved[0].Record, encode(alive)) || len(saved[0].Done.Reports) != 1 || saved[0].Done.Reports[0] != 0 {
		t.Errorf("%+v, want the node that answered, as node 0", saved)
	}
	if got := string(read(t, path)); strings.Count(got, "\n") != 3 || !strings.HasSuffix(got, "}\n") {
		t.Errorf("the journal was not written anew:\n%s", got)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A file that is none of ours is left alone.
func TestStateRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "precious")
	if err := os.WriteFile(path, []byte("not a journal\n"), stateMode); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{path, dir, filepath.Join(dir, "none", "state")} {
		if _, _, err := OpenState(bad, begin, time.Hour); err == nil || hint.Of(err) == "" {
			t.Errorf("%s: %v, hint %q; want both", bad, err, hint.Of(err))
		}
	}
	if got := string(read(t, path)); got != "not a journal\n" {
		t.Errorf("the file holds %q now", got)
	}
}

// A journal is written anew under a name that nobody can have taken.
func TestNewJournalBeside(t *testing.T) {
	dir := t.TempDir()
	path, precious := filepath.Join(dir, "state"), filepath.Join(dir, "precious")
	if err := os.WriteFile(precious, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(precious, path+".new"); err != nil {
		t.Skip("no symbolic links: ", err)
	}
	s, _, err := OpenState(path, begin, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if got := string(read(t, precious)); got != "precious" {
		t.Errorf("a file that a link leads to is %q", got)
	}
	left, err := os.ReadDir(dir)
	if len(left) != 4 || err != nil { // with the lock
		t.Errorf("%v is left, %v", left, err)
	}
}

// A disk that hangs ends the crawl before what waits for it fills the memory.
func TestStuckDisk(t *testing.T) {
	s := &State{path: "state", chunks: make(chan []byte), failed: make(chan error, 1)} // nobody writes
	fact := []Fact{{Record: make([]byte, 300)}}
	if err := s.Append(fact); err != nil {
		t.Fatal(err)
	}
	s.pending = make([]byte, maxPending)
	if err := s.Append(fact); !errors.Is(err, errStuck) || !strings.Contains(hint.Of(err), "--state state") {
		t.Errorf("%v, hint %q", err, hint.Of(err))
	}
}

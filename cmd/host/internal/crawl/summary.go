package crawl

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// End says why a crawl ended.
type End string

// The ends.
const (
	Complete    End = "complete" // nobody was left to be asked
	TimeOver    End = "time over"
	Interrupted End = "interrupted"
	StateFailed End = "state could not be written"
)

// maxValues bounds the values of a Group that are counted each, most of which strangers choose; the rest are others.
const maxValues = 1000

// Tally counts nodes.
type Tally struct {
	Nodes int `json:"nodes"`
	Alive int `json:"alive"`
}

// Group counts nodes by one of their properties.
type Group map[string]*Tally

func (g Group) count(value string, alive bool) {
	t := g[value]
	if t == nil {
		if len(g) >= maxValues {
			value = "(others)"
		}
		if t = g[value]; t == nil {
			t = new(Tally)
			g[value] = t
		}
	}
	t.Nodes++
	if alive {
		t.Alive++
	}
}

// Summary is what a crawl found in all. The groups count reported nodes.
type Summary struct {
	End      End       `json:"end"`
	Started  time.Time `json:"started"`
	Seconds  float64   `json:"tookSeconds"`
	Requests uint64    `json:"requests"`
	Answers  uint64    `json:"answers"`
	Timeouts uint64    `json:"timeouts"`
	Dropped  uint64    `json:"dropped"` // meetings of nodes beyond the most that are kept

	Known    int `json:"known"` // nodes
	Alive    int `json:"alive"`
	Dead     int `json:"dead"`
	NotAsked int `json:"notAsked"`
	Reported int `json:"reported"` // that match the filter

	Networks Group `json:"networks"`
	Forks    Group `json:"forkDigests"`
	Clients  Group `json:"clients"`
	Families Group `json:"families"`
	Fields   Group `json:"fields"`
	Errors   Group `json:"errors"`
}

// NewSummary returns a summary without results.
func NewSummary(end End, started time.Time, took time.Duration, c Counts) *Summary {
	return &Summary{
		End: end, Started: started.UTC(), Seconds: took.Seconds(), Requests: c.Requests, Answers: c.Answers, Timeouts: c.Timeouts, Dropped: c.Dropped,
		Known: c.Known, Alive: c.Alive, Dead: c.Dead, NotAsked: max(c.Known-c.Alive-c.Dead, 0),
		Networks: Group{}, Forks: Group{}, Clients: Group{}, Families: Group{}, Fields: Group{}, Errors: Group{},
	}
}

// Count adds a result.
func (s *Summary) Count(r *Result) {
	s.Reported++
	told := func(value string) string { return cmp.Or(value, "(not told)") }
	s.Networks.count(r.Network, r.Alive)
	s.Forks.count(told(r.ForkDigest), r.Alive)
	s.Clients.count(told(r.Client), r.Alive)
	s.Families.count(r.Family, r.Alive)
	for _, f := range r.Fields {
		s.Fields.count(f, r.Alive)
	}
	if r.Error != "" {
		s.Errors.count(r.Error, r.Alive)
	}
}

// shownValues is how many values of a group people see.
const shownValues = 12

// Print writes the summary for people.
func (s *Summary) Print(w io.Writer) error {
	var b strings.Builder
	took := time.Duration(s.Seconds * float64(time.Second)).Round(100 * time.Millisecond)
	fmt.Fprintf(&b, "crawl: %s after %v; %d requests, %d answers\n", s.End, took, s.Requests, s.Answers)
	fmt.Fprintf(&b, "nodes: %d known, %d alive, %d dead, %d not asked", s.Known, s.Alive, s.Dead, s.NotAsked)
	if s.Reported != s.Known {
		fmt.Fprintf(&b, "; %d reported", s.Reported)
	}
	b.WriteByte('\n')
	for _, g := range []struct {
		name  string
		group Group
	}{
		{"network", s.Networks}, {"fork", s.Forks}, {"client", s.Clients}, {"family", s.Families}, {"field", s.Fields}, {"error", s.Errors},
	} {
		g.group.print(&b, g.name)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (g Group) print(b *strings.Builder, name string) {
	if len(g) == 0 {
		return
	}
	values := slices.SortedFunc(maps.Keys(g), func(x, y string) int {
		return cmp.Or(cmp.Compare(g[y].Nodes, g[x].Nodes), cmp.Compare(x, y))
	})
	fmt.Fprintf(b, "\n%-24s %8s %8s\n", name, "nodes", "alive")
	for i, v := range values {
		if i == shownValues && len(values) > shownValues+1 {
			fmt.Fprintf(b, "  and %d more\n", len(values)-i)
			return
		}
		fmt.Fprintf(b, "  %-22s %8d %8d\n", v, g[v].Nodes, g[v].Alive)
	}
}

package crawl

import (
	"fmt"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

func config() MachineConfig {
	return MachineConfig{IPv4: true, IPv6: true, Rate: 1000, Parallel: 300, MaxNodes: 1_000_000}
}

// Every living node is found, whether nodes answer as go-ethereum does or as this module's do, while a tenth is dead and packets
// are lost.
func TestFindsEverybody(t *testing.T) {
	for _, tt := range []struct {
		name        string
		count, dead int
		loss        float64
		inTurns     bool
		share       int
	}{
		{"2 nodes", 2, 0, 0, false, 1000},
		{"20 nodes", 20, 0, 0, true, 1000},
		{"2500 nodes, one distance after the other", 2500, 0, 0, false, 1000},
		{"2500 nodes, distances in turns, some dead, some packets lost", 2500, 250, 0.02, true, 995},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSwarm(t, tt.count, tt.dead, 16)
			s.loss, s.inTurns = tt.loss, tt.inTurns
			m := NewMachine(config())
			m.Add(begin, s.order[0].node)
			end := s.crawl(m, begin, never)
			s.wantAlive(m, tt.share)
			s.wantRate(1000)
			t.Logf("took %v, %.1f requests a node", end.Sub(begin).Round(time.Second), float64(s.requests)/float64(tt.count))
			if per := s.requests / tt.count; tt.count > 100 && per > 16 {
				t.Errorf("%d requests a node, want 16 or fewer", per)
			}
		})
	}
}

// Those who know of a node are counted once each, however often they tell.
func TestReporters(t *testing.T) {
	s := newSwarm(t, 40, 5, 16)
	s.inTurns = true
	m := NewMachine(config())
	m.Add(begin, s.order[0].node)
	s.crawl(m, begin, never)
	want := make(map[enode.ID]uint32)
	for _, member := range s.order {
		for _, known := range member.known {
			for _, n := range known {
				if !member.dead {
					want[n.ID()]++
				}
			}
		}
	}
	for r := range m.Results(nil) {
		if w := want[enode.HexID(r.NodeID)]; r.ReportedBy != w {
			t.Errorf("%s: reported by %d, want %d", r.NodeID, r.ReportedBy, w)
		}
	}
}

// drive runs a machine in which respond decides what becomes of each request. It returns the time at the end.
func drive(t *testing.T, m *Machine, now time.Time, respond func(now time.Time, ask Ask) ([]*enode.Node, Reason)) time.Time {
	t.Helper()
	for range 1_000_000 {
		ask, ok, wake := m.Next(now)
		if !ok {
			if m.Done() {
				return now
			}
			if !wake.After(now) {
				t.Fatalf("nothing to do and no time to wait for: %+v", m.Counts())
			}
			now = wake
			continue
		}
		nodes, reason := respond(now, ask)
		if reason != "" {
			m.Failed(now, ask, reason)
		} else {
			m.Answered(now, ask, nodes, time.Millisecond)
		}
	}
	t.Fatal("the crawl does not end")
	return now
}

// only returns the single result of a machine.
func only(t *testing.T, m *Machine) Result {
	t.Helper()
	var all []Result
	for r := range m.Results(nil) {
		all = append(all, r)
	}
	if len(all) != 1 {
		t.Fatalf("%d results, want one", len(all))
	}
	return all[0]
}

func TestSilentNodeIsAskedTwice(t *testing.T) {
	m := NewMachine(config())
	m.Add(begin, signed(t, keyOf(t, 1), 1, []string{"8.8.8.8:9000"}))
	var asked []time.Duration
	drive(t, m, begin, func(now time.Time, _ Ask) ([]*enode.Node, Reason) {
		asked = append(asked, now.Sub(begin))
		return nil, Timeout
	})
	if fmt.Sprint(asked) != "[0s 10s]" {
		t.Errorf("asked after %v, want at once and after 10 s", asked)
	}
	if r := only(t, m); r.Alive || r.Error != "timeout" || r.LastSeen != "" || r.RTT != nil {
		t.Errorf("%+v, want a dead node never seen", r)
	}
	if c := m.Counts(); c.Dead != 1 || c.Alive != 0 || c.Timeouts != 2 {
		t.Errorf("%+v, want 1 dead after 2 timeouts", c)
	}
}

func TestSecondAddress(t *testing.T) {
	m := NewMachine(config())
	m.Add(begin, signed(t, keyOf(t, 1), 1, []string{"8.8.8.8:9000", "[2001:4860::8]:9001"}))
	drive(t, m, begin, func(_ time.Time, ask Ask) ([]*enode.Node, Reason) {
		if ask.Addr.Addr().Is4() {
			return nil, Timeout
		}
		return nil, ""
	})
	if r := only(t, m); !r.Alive || r.IP != "2001:4860::8" || r.Port != 9001 || r.Family != "both" {
		t.Errorf("%+v, want it alive at its IPv6 address", r)
	}
}

func TestFamilies(t *testing.T) {
	cfg := config()
	cfg.IPv6 = false
	m := NewMachine(cfg)
	m.Add(begin, signed(t, keyOf(t, 1), 1, []string{"[2001:4860::8]:9001"}))
	drive(t, m, begin, func(time.Time, Ask) ([]*enode.Node, Reason) {
		t.Error("asked at an address that cannot be asked")
		return nil, Timeout
	})
	if r := only(t, m); r.Error != "no address" || r.Alive {
		t.Errorf("%+v, want no address", r)
	}
}

// A newer record counts, an older one does not, and with a new address a dead node gets another chance.
func TestNewerRecord(t *testing.T) {
	key, other := keyOf(t, 1), keyOf(t, 2)
	moved := signed(t, key, 3, []string{"8.8.4.4:9000"})
	old := signed(t, key, 2, []string{"8.8.8.8:9000"})
	informant := signed(t, other, 1, []string{"9.9.9.9:9000"})
	m := NewMachine(config())
	m.Add(begin, old)
	m.Add(begin, informant)
	told := false
	drive(t, m, begin, func(now time.Time, ask Ask) ([]*enode.Node, Reason) {
		switch {
		case ask.Addr.Addr().String() == "8.8.8.8":
			return nil, Timeout
		case ask.Node.ID() == informant.ID() && now.Sub(begin) < 11*time.Second:
			return nil, Overload
		case ask.Node.ID() == informant.ID() && !told:
			told = true
			return []*enode.Node{moved, old}, ""
		}
		return nil, ""
	})
	for r := range m.Results(nil) {
		if !r.Alive {
			t.Errorf("%s is not alive: %s", r.IP, r.Error)
		}
		if r.NodeID == "0x"+old.ID().String() && (r.Seq != 3 || r.IP != "8.8.4.4") {
			t.Errorf("seq %d at %s, want the newer record", r.Seq, r.IP)
		}
	}
	if c := m.Counts(); c.Alive != 2 || c.Dead != 0 {
		t.Errorf("%+v, want 2 alive and nobody dead", c)
	}
}

// A node that stops answering in the middle is alive all the same.
func TestFallsSilent(t *testing.T) {
	m := NewMachine(config())
	m.Add(begin, signed(t, keyOf(t, 1), 1, []string{"8.8.8.8:9000"}))
	requests := 0
	drive(t, m, begin, func(time.Time, Ask) ([]*enode.Node, Reason) {
		if requests++; requests > 1 {
			return nil, Timeout
		}
		return nil, ""
	})
	if r := only(t, m); !r.Alive || r.Error != "timeout" || requests != 3 {
		t.Errorf("alive %v, error %q after %d requests; want alive, timeout, 3", r.Alive, r.Error, requests)
	}
}

// Someone who invents nodes without end gets a bounded number of requests, at his own address as elsewhere.
func TestLiarIsBounded(t *testing.T) {
	cfg := config()
	cfg.MaxNodes = 1500
	m := NewMachine(cfg)
	var crowd []*enode.Node
	for i := range 1600 {
		crowd = append(crowd, signed(t, keyOf(t, uint64(i)), 1, []string{fmt.Sprintf("8.8.8.8:%d", 1000+i)}))
	}
	m.Add(begin, crowd[0])
	asked := make(map[enode.ID]int)
	next := 0
	drive(t, m, begin, func(_ time.Time, ask Ask) ([]*enode.Node, Reason) {
		asked[ask.Node.ID()]++
		next = (next + 16) % len(crowd)
		return crowd[next : next+16], ""
	})
	c := m.Counts()
	if len(asked) != maxPerAddress {
		t.Errorf("%d nodes were asked at one address, want %d", len(asked), maxPerAddress)
	}
	for id, n := range asked {
		if n > maxAsks {
			t.Errorf("%v was asked %d times, want at most %d", id, n, maxAsks)
		}
	}
	if c.Known != 1500 || c.Dropped == 0 {
		t.Errorf("%d known and %d dropped, want 1500 and some", c.Known, c.Dropped)
	}
	if len(m.places) != 1 {
		t.Errorf("%d addresses remembered, want one", len(m.places))
	}
}

func TestSelfIsNobody(t *testing.T) {
	n := signed(t, keyOf(t, 1), 1, []string{"8.8.8.8:9000"})
	cfg := config()
	cfg.Self = n.ID()
	m := NewMachine(cfg)
	m.Add(begin, n)
	if !m.Done() || m.Counts().Known != 0 {
		t.Errorf("%+v, want nobody", m.Counts())
	}
}

package admin

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/discv5/host/core"
	"github.com/discv5/host/plugins"
)

const (
	// aliveWithin is how long the node may take to say how it is.
	aliveWithin = 2 * time.Second
	// silentFor is how long sockets may bring nothing although nodes are in the table, which are asked all the time.
	silentFor = 5 * time.Minute
	// watchPause is how often the table is looked at.
	watchPause = 15 * time.Second
)

// silentNode is what is said of a node that does not tell how it is within aliveWithin.
const silentNode = "the node does not answer"

// probe asks the node how it is, once at a time however many want to know.
type probe struct {
	mu    sync.Mutex // a leaf
	under chan struct{}
	stats core.Stats
}

// ask returns the counters of a node, and false when it does not answer in time, or before ctx ends.
func (p *probe) ask(ctx context.Context, node Node) (core.Stats, bool) {
	p.mu.Lock()
	done := p.under
	if done == nil {
		done = make(chan struct{})
		p.under = done
		go func() {
			stats := node.Stats()
			p.mu.Lock()
			defer p.mu.Unlock()
			p.stats, p.under = stats, nil
			close(done)
		}()
	}
	p.mu.Unlock()
	timeout := time.NewTimer(aliveWithin)
	defer timeout.Stop()
	select {
	case <-done:
	case <-timeout.C:
		return core.Stats{}, false
	case <-ctx.Done():
		return core.Stats{}, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stats, true
}

// touch notes when the table was last seen with a node that answers.
type touch struct {
	mu   sync.Mutex // a leaf
	last time.Time
}

func (t *touch) note(now time.Time, verified int) (since time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if verified > 0 {
		t.last = now
	}
	return now.Sub(t.last)
}

// watch looks at the table when nobody else does, so that it is known since when it is empty.
func (s *Server) watch() {
	tick := time.NewTicker(watchPause)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			if stats, alive := s.probe.ask(s.ctx, s.cfg.Node); alive {
				s.inTouch.note(now, stats.TableVerified)
			}
		case <-s.ctx.Done():
			return
		}
	}
}

// Readiness says whether the host does its work.
type Readiness struct {
	Ready    bool     `json:"ready"`
	Problems []string `json:"problems"` // what is in the way
	Degraded []string `json:"degraded"` // what is not, but should be seen to
}

// readiness finds what keeps the host from its work.
func (s *Server) readiness(now time.Time) Readiness {
	stats, alive := s.probe.ask(s.ctx, s.cfg.Node)
	if !alive {
		return Readiness{Problems: []string{silentNode}, Degraded: []string{}}
	}
	return s.judge(now, stats)
}

func (s *Server) judge(now time.Time, stats core.Stats) Readiness {
	problems := []string{}
	if empty := s.inTouch.note(now, stats.TableVerified); empty > s.cfg.Grace {
		problems = append(problems, fmt.Sprintf("no node of the table has answered for %v", empty.Round(time.Second)))
	}
	if silent := now.Sub(stats.Drained); stats.TableNodes > 0 && silent > silentFor {
		problems = append(problems, fmt.Sprintf("nothing was read from the sockets for %v", silent.Round(time.Second)))
	}
	if s.cfg.Plugins != nil {
		if missing := s.cfg.Plugins.Missing(); len(missing) > 0 {
			problems = append(problems, "required plugins do not serve: "+strings.Join(missing, ", "))
		}
	}
	return Readiness{Ready: len(problems) == 0, Problems: problems, Degraded: s.degraded(now)}
}

// readWithin is how long it may take until what a store remembers has been read.
const readWithin = 10 * time.Second

// degraded finds what the host does its work without.
func (s *Server) degraded(now time.Time) []string {
	all := []string{}
	if err := s.cfg.Node.StoreError(); err != nil {
		all = append(all, "the store fails, what is new waits in memory: "+err.Error())
	}
	if err := s.cfg.Node.RecordError(); err != nil {
		all = append(all, "the newest record is not saved: "+err.Error())
	}
	if s.cfg.Plugins == nil {
		return all
	}
	for _, p := range s.cfg.Plugins.Status() {
		switch {
		case p.State == plugins.Degraded, p.State == plugins.Crashed, p.State == plugins.Backoff, p.State == plugins.Refused:
			all = append(all, fmt.Sprintf("%s is %v: %s", p.ID, p.State, p.Reason))
		case p.Kind == plugins.Store && p.State.Serves() && now.Sub(s.started) > readWithin && !s.cfg.Node.StoreStats().Loaded:
			all = append(all, p.ID+": what it remembers has not been read yet")
		}
	}
	return all
}

func statusOf(ok bool) int {
	if ok {
		return http.StatusOK
	}
	return http.StatusServiceUnavailable
}

// Liveness says that the host answers at all.
type Liveness struct {
	Alive bool `json:"alive"`
}

func (s *Server) showHealth(w http.ResponseWriter, _ *http.Request) {
	_, alive := s.probe.ask(s.ctx, s.cfg.Node)
	show(w, statusOf(alive), Liveness{alive})
}

func (s *Server) showReadiness(w http.ResponseWriter, _ *http.Request) {
	ready := s.readiness(time.Now())
	show(w, statusOf(ready.Ready), ready)
}

// probes are the paths that answer without a token, by their status alone.
func (s *Server) probes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+healthPath, s.showHealth)
	mux.HandleFunc("GET "+readyPath, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(statusOf(s.readiness(time.Now()).Ready))
	})
	return mux
}

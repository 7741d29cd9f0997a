package admin

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxHeader    = 16 << 10         // bytes of a request's header
	maxBody      = 1 << 20          // bytes of a request's body
	headTimeout  = 5 * time.Second  // of a request's header
	readTimeout  = 15 * time.Second // of header and body
	idleTimeout  = 2 * time.Minute
	callTimeout  = time.Minute // of one call
	writeTimeout = callTimeout + 15*time.Second
	maxCalls     = 64 // calls at a time, for all clients
	maxCopies    = 2  // copies of large state at a time
	// closePatience is how long Close lets requests end, which see the end of their context at once.
	closePatience = 700 * time.Millisecond
	eventsWaiting = 4096
)

// Server serves the admin API. All methods may be called from any goroutine.
type Server struct {
	// set by Listen, then read-only
	cfg     Config
	started time.Time
	events  interface{ Close() }
	servers []*http.Server
	tcp     net.Addr
	ctx     context.Context // ends with the server
	cancel  context.CancelFunc
	methods map[string]*method
	calls   chan struct{} // has room for what may run
	copies  chan struct{}
	reloads chan struct{}
	bodies  budget // of maxBodies bytes
	answers budget // of maxAnswers bytes
	// readerTimeout is how long a reader of events may take for what is sent to it.
	readerTimeout time.Duration

	probe    probe
	inTouch  touch
	refused  atomic.Uint64
	rejected atomic.Uint64
	served   atomic.Uint64
	failed   atomic.Uint64
	readers  atomic.Int64
	dropped  atomic.Uint64

	listeners sync.WaitGroup
	closing   sync.Once
	closeErr  error
}

// Stats are counters since the start, and gauges where a comment says so.
type Stats struct {
	Refused        uint64 // connections beyond the bound
	Unauthorized   uint64 // requests over TCP without the token
	Calls          uint64 // of JSON-RPC methods
	FailedCalls    uint64
	EventReaders   int    // gauge
	ReadersDropped uint64 // that did not keep up

	Ready  bool // what /readyz says now
	Silent bool // the node does not answer, so nothing should be asked of it
}

// Stats returns the counters, and whether the host is ready, within aliveWithin.
func (s *Server) Stats() Stats {
	st := s.counters()
	stats, alive := s.probe.ask(s.ctx, s.cfg.Node)
	st.Silent = !alive
	st.Ready = alive && s.judge(time.Now(), stats).Ready
	return st
}

func (s *Server) counters() Stats {
	return Stats{
		Refused: s.refused.Load(), Unauthorized: s.rejected.Load(), Calls: s.served.Load(), FailedCalls: s.failed.Load(),
		EventReaders: int(s.readers.Load()), ReadersDropped: s.dropped.Load(),
	}
}

// newServer makes a server that listens nowhere.
func newServer(cfg Config) *Server {
	cfg.setDefaults()
	s := &Server{
		cfg: cfg, started: time.Now(), methods: methodsByName(), readerTimeout: readerTimeout,
		calls: make(chan struct{}, maxCalls), copies: make(chan struct{}, maxCopies), reloads: make(chan struct{}, 1),
		bodies: budget{most: maxBodies}, answers: budget{most: maxAnswers},
	}
	s.inTouch.last = s.started
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Listen starts to serve. Nothing is left behind when it returns an error.
func Listen(cfg Config) (*Server, error) {
	var at place
	if cfg.Socket != "" {
		at = placeOf(cfg.Socket)
		cfg.Socket = at.path
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := newServer(cfg)
	var opened []net.Listener
	abandon := func(err error) (*Server, error) {
		s.cancel()
		for _, l := range opened {
			err = errors.Join(err, l.Close())
		}
		return nil, err
	}
	if cfg.Socket != "" {
		if err := at.make(); err != nil {
			return abandon(err)
		}
		l, err := listenSocket(cfg.Socket)
		if err != nil {
			return abandon(err)
		}
		opened = append(opened, l)
	}
	if cfg.TCP.IsValid() {
		l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(cfg.TCP))
		if err != nil {
			return abandon(fmt.Errorf("admin: %w", err))
		}
		opened = append(opened, l)
		s.tcp = l.Addr()
	}
	events, err := s.cfg.Node.Events(eventsWaiting)
	if err != nil {
		return abandon(fmt.Errorf("admin: %w", err))
	}
	s.events = events
	s.listeners.Go(func() { s.cfg.Feed.follow(events.C) })
	s.listeners.Go(s.watch)
	for _, l := range opened {
		s.serve(l)
	}
	return s, nil
}

func (s *Server) serve(l net.Listener) {
	var handler http.Handler
	if _, local := l.(*socket); local {
		handler = s.handler(true)
	} else {
		handler = &guard{next: s.handler(false), probes: s.probes(), token: sha256.Sum256([]byte(s.cfg.Token)), failed: &s.rejected}
	}
	server := &http.Server{
		Handler:           limited(handler),
		ReadTimeout:       readTimeout,
		ReadHeaderTimeout: s.cfg.headTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          s.cfg.Log.StandardLogger(nil),
		BaseContext:       func(net.Listener) context.Context { return s.ctx },
		ConnContext:       withConn,
	}
	s.servers = append(s.servers, server)
	s.listeners.Go(func() {
		if err := server.Serve(&bounded{Listener: l, most: maxConns, mostFrom: maxConnsFrom, refused: &s.refused}); !errors.Is(err, http.ErrServerClosed) {
			s.cfg.Log.Error("admin listener ended", "addr", l.Addr().String(), "err", err)
		}
	})
}

// limited bounds the bodies of requests. One that is read has none: nobody would wait for a body that does not come.
func limited(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost && r.ContentLength != 0 {
			w.Header().Set("Connection", "close")
			showError(w, http.StatusBadRequest, "only POST has a body", "")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}

// Socket is the path of the unix socket, which differs from that of the Config when that is too long for one; empty: there is none.
func (s *Server) Socket() string { return s.cfg.Socket }

// TCPAddr is where the server listens on TCP; invalid: nowhere.
func (s *Server) TCPAddr() netip.AddrPort {
	if a, ok := s.tcp.(*net.TCPAddr); ok {
		return a.AddrPort()
	}
	return netip.AddrPort{}
}

// Close ends the listeners, the calls and the readers of events, within a second. Calling it twice is harmless.
func (s *Server) Close() error {
	s.closing.Do(func() {
		s.events.Close()
		s.cancel()
		patience, cancel := context.WithTimeout(context.Background(), closePatience)
		defer cancel()
		errs := make([]error, len(s.servers))
		var wg sync.WaitGroup
		for i, server := range s.servers {
			wg.Go(func() {
				err := server.Shutdown(patience)
				if errors.Is(err, context.DeadlineExceeded) {
					err = server.Close()
				}
				errs[i] = err
			})
		}
		wg.Wait()
		s.closeErr = errors.Join(errs...)
		select {
		case s.reloads <- struct{}{}: // none is under way, and none begins
		case <-time.After(closePatience):
			s.cfg.Log.Warn("a reload does not end")
		}
		s.listeners.Wait()
	})
	return s.closeErr
}

package servers

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Proxy is a way to a server that a test can harm. Its socket's file has the name of the server's.
type Proxy struct {
	Dir    string // where its socket is
	Socket string

	to       string
	listener net.Listener
	all      sync.WaitGroup

	mu     sync.Mutex // a leaf
	conns  map[net.Conn]bool
	closed bool
	left   int           // bytes to the server until all connections break; negative: any number
	delay  time.Duration // of what the server says
	stall  chan struct{} // until it is closed nothing comes back; nil: it does
}

// Through starts a proxy before a server.
func (s *Server) Through() *Proxy {
	s.t.Helper()
	dir := folder(s.t)
	p := &Proxy{Dir: dir, Socket: filepath.Join(dir, filepath.Base(s.Socket)), to: s.Socket, conns: make(map[net.Conn]bool), left: -1}
	var err error
	if p.listener, err = net.Listen("unix", p.Socket); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Chmod(p.Socket, 0o777); err != nil {
		s.t.Fatal(err)
	}
	p.all.Go(p.accept)
	s.t.Cleanup(p.close)
	return p
}

func (p *Proxy) close() {
	p.Thaw()
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	_ = p.listener.Close() // which ends accept
	p.Cut()
	p.all.Wait()
}

// Cut breaks all connections. New ones are possible.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close() // which ends its copies
	}
}

// CutAfter breaks all connections as soon as n more bytes went to the server, once.
func (p *Proxy) CutAfter(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left = n
}

// Slow delays each answer of the server; 0: not.
func (p *Proxy) Slow(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Freeze holds back what the server says, until Thaw.
func (p *Proxy) Freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stall == nil {
		p.stall = make(chan struct{})
	}
}

// Thaw is the end of Freeze.
func (p *Proxy) Thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stall != nil {
		close(p.stall)
		p.stall = nil
	}
}

func (p *Proxy) accept() {
	for {
		from, err := p.listener.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("unix", p.to)
		p.mu.Lock()
		refuse := err != nil || p.closed
		if !refuse {
			p.conns[from], p.conns[to] = true, true
		}
		p.mu.Unlock()
		if refuse {
			_ = from.Close()
			if to != nil {
				_ = to.Close()
			}
			continue
		}
		p.all.Go(func() { p.copy(to, from, p.toServer) })
		p.all.Go(func() { p.copy(from, to, p.fromServer) })
	}
}

// copy copies until an end, which it makes the end of both connections.
func (p *Proxy) copy(to, from net.Conn, pass func(net.Conn, []byte) error) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if failed := pass(to, buffer[:n]); failed != nil {
				err = failed
			}
		}
		if err != nil {
			break
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range []net.Conn{to, from} {
		_ = c.Close()
		delete(p.conns, c)
	}
}

func (p *Proxy) toServer(to net.Conn, b []byte) error {
	p.mu.Lock()
	cut := p.left >= 0 && p.left <= len(b)
	if cut {
		b = b[:p.left]
	}
	if p.left >= 0 {
		p.left -= len(b)
	}
	if cut {
		p.left = -1
	}
	p.mu.Unlock()
	_, err := to.Write(b)
	if cut {
		p.Cut()
		err = io.ErrUnexpectedEOF
	}
	return err
}

func (p *Proxy) fromServer(to net.Conn, b []byte) error {
	p.mu.Lock()
	delay, stall := p.delay, p.stall
	p.mu.Unlock()
	if stall != nil {
		<-stall
	}
	if delay > 0 {
		timer := time.NewTimer(delay)
		<-timer.C
	}
	_, err := to.Write(b)
	return err
}

// Backend is a server with a proxy before it, as sdktest.StoreFaults harms it.
type Backend struct {
	*Server
	*Proxy
}

// Cut breaks the connections after some bytes; a negative number takes that back.
func (b Backend) Cut(bytes int) { b.CutAfter(bytes) }

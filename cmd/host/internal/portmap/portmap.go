package portmap

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/p2p/nat"
	"github.com/hashicorp/go-hclog"
)

const (
	lifetime     = nat.DefaultMapTimeout // 10 minutes; a router forgets the mapping of a host that died by then
	refresh      = lifetime / 2
	firstRetry   = 30 * time.Second
	maxRetry     = refresh
	closeTimeout = time.Second // the whole host stops within 2 s
)

// ErrCloseTimeout is what Close returns when the router did not answer in time. The mapping ends by itself within 10 minutes.
var ErrCloseTimeout = errors.New("the router did not confirm that the port mapping is gone")

// Methods are what Open accepts. "none" maps nothing.
var Methods = []string{"none", "upnp", "pmp", "any"}

// Open returns an opener for Config.Open, or nil for "none".
func Open(method string) (func() nat.Interface, error) {
	switch method {
	case "none":
		return nil, nil
	case "upnp":
		return nat.UPnP, nil
	case "pmp":
		return func() nat.Interface { return nat.PMP(nil) }, nil
	case "any":
		return nat.Any, nil
	}
	return nil, fmt.Errorf("port mapping %q is not one of %s", method, strings.Join(Methods, ", "))
}

// Config says what to map.
type Config struct {
	// Open returns a fresh interface to the router. It is called again after every failure, because an interface that
	// found no router once does not look again. Required.
	Open func() nat.Interface
	// Port is the local UDP port, and the external one asked for. Required.
	Port uint16
	// Changed is told the external endpoint when it is first known and whenever it changes, and the zero AddrPort when the
	// mapping is lost. It runs on the mapper's goroutine and must not block or call Close. Required.
	Changed func(external netip.AddrPort)
	// Logger is hclog.NewNullLogger() when nil.
	Logger hclog.Logger
}

// Mapper keeps one UDP port mapped until it is closed.
type Mapper struct {
	// Set before the goroutine starts, then read-only.
	cfg  Config
	log  hclog.Logger
	stop chan struct{}
	done chan struct{}
	once sync.Once

	// Owned by the goroutine.
	router   nat.Interface // nil: to be opened
	holder   nat.Interface // the one that made the mapping
	mapped   uint16        // external port, 0 while nothing is mapped
	expires  time.Time
	reported netip.AddrPort
	retry    time.Duration
	local    bool // the warning about a private external address was given
}

// Start begins to map the port and returns at once.
func Start(cfg Config) *Mapper {
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	m := &Mapper{cfg: cfg, log: cfg.Logger, stop: make(chan struct{}), done: make(chan struct{})}
	go m.run()
	return m
}

// Close deletes the mapping and waits for that, at most a second: after that it returns ErrCloseTimeout. Further calls wait
// the same way and delete nothing. Changed is not called after Close.
func (m *Mapper) Close() error {
	m.once.Do(func() { close(m.stop) })
	timer := time.NewTimer(closeTimeout)
	defer timer.Stop()
	select {
	case <-m.done:
		return nil
	case <-timer.C:
		return ErrCloseTimeout
	}
}

func (m *Mapper) run() {
	defer close(m.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-m.stop:
			m.unmap()
			return
		case <-timer.C:
			timer.Reset(m.update(time.Now()))
		}
	}
}

// update maps or refreshes and returns when to do it again.
func (m *Mapper) update(now time.Time) time.Duration {
	if m.router == nil {
		m.router = m.cfg.Open()
	}
	want := m.mapped
	if want == 0 {
		want = m.cfg.Port
	}
	external, err := m.ask(want, now)
	if err != nil {
		return m.failed(err, now)
	}
	m.retry = 0
	m.report(external)
	return refresh
}

func (m *Mapper) ask(want uint16, now time.Time) (netip.AddrPort, error) {
	port, err := m.router.AddMapping("udp", int(want), int(m.cfg.Port), "host discv5", lifetime)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("map UDP port %d: %w", m.cfg.Port, err)
	}
	if port == 0 {
		return netip.AddrPort{}, fmt.Errorf("map UDP port %d: the router gave port 0", m.cfg.Port)
	}
	m.mapped, m.holder, m.expires = port, m.router, now.Add(lifetime)
	ip, err := m.router.ExternalIP()
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("ask the router for its address: %w", err)
	}
	addr, ok := netip.AddrFromSlice(ip)
	if !ok {
		return netip.AddrPort{}, errors.New("ask the router for its address: it gave none")
	}
	return netip.AddrPortFrom(addr.Unmap(), port), nil
}

func (m *Mapper) failed(err error, now time.Time) time.Duration {
	m.log.Warn("port mapping failed, will try again", "err", err)
	m.router = nil
	if !now.Before(m.expires) {
		m.mapped = 0
		m.report(netip.AddrPort{})
	}
	m.retry = min(max(2*m.retry, firstRetry), maxRetry)
	return m.retry
}

// report tells a change. An address that the outside cannot reach is not one to publish.
func (m *Mapper) report(external netip.AddrPort) {
	if external.IsValid() && !reachable(external.Addr()) {
		if !m.local {
			m.log.Warn("the router itself has a private address, nobody outside can use the mapping", "addr", external)
			m.local = true
		}
		external = netip.AddrPort{}
	}
	if external == m.reported {
		return
	}
	select {
	case <-m.stop: // closed while the router took its time
		return
	default:
	}
	m.reported = external
	if external.IsValid() {
		m.log.Info("port mapped", "addr", external, "port", m.cfg.Port, "router", m.router)
	} else {
		m.log.Warn("port mapping lost")
	}
	m.cfg.Changed(external)
}

func (m *Mapper) unmap() {
	if m.mapped == 0 {
		return
	}
	if err := m.holder.DeleteMapping("udp", int(m.mapped), int(m.cfg.Port)); err != nil {
		m.log.Warn("port mapping not deleted, it ends by itself", "err", err)
		return
	}
	m.log.Debug("port mapping deleted")
}

// sharedSpace is what carriers use between their NAT and the customer's router (RFC 6598).
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

func reachable(ip netip.Addr) bool {
	return ip.IsGlobalUnicast() && !ip.IsPrivate() && !sharedSpace.Contains(ip)
}

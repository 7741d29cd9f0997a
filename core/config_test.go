package core

import (
	"math"
	"net"
	"net/netip"
	"strings"
	"testing"
)

// socket is a PacketConn that only has an address.
type socket struct {
	PacketConn
	at     string
	closed *bool
}

func (s socket) LocalAddr() net.Addr {
	if s.at == "" {
		return nil
	}
	return net.UDPAddrFromAddrPort(netip.MustParseAddrPort(s.at))
}

func (s socket) Close() error {
	*s.closed = true
	return nil
}

func TestConfigMistakes(t *testing.T) {
	closed := new(bool)
	at := func(addr string) PacketConn { return socket{at: addr, closed: closed} }
	good := func() Config { return Config{PrivateKey: newKey(t), Conns: []PacketConn{at("127.0.0.1:1")}} }
	for want, spoil := range map[string]func(*Config){
		"":                             func(c *Config) { c.Conns = append(c.Conns, at("[::1]:1")); c.Workers = 1024 },
		"no private key":               func(c *Config) { c.PrivateKey = nil },
		"no address":                   func(c *Config) { c.Conns = nil },
		"open socket 2 is nil":         func(c *Config) { c.Conns = append(c.Conns, nil) },
		"open socket 1 has no UDP":     func(c *Config) { c.Conns = []PacketConn{at("")} },
		"second of its family":         func(c *Config) { c.Conns = append(c.Conns, at("[::ffff:127.0.0.2]:1")) },
		"Workers is negative":          func(c *Config) { c.Workers = -1 },
		"Workers is 1025":              func(c *Config) { c.Workers = 1025 },
		"VoteThreshold is 1":           func(c *Config) { c.VoteThreshold = 1 },
		"Limits.Source is not a":       func(c *Config) { c.Limits.Source.PerSecond = math.NaN() },
		"Limits.Handshakes is not a":   func(c *Config) { c.Limits.Handshakes.PerSecond = math.Inf(1) },
		"Sessions is 3":                func(c *Config) { c.Sessions = 3 },
		"both addresses to listen on ": func(c *Config) { c.Listen = []netip.AddrPort{addrPort("127.0.0.1:0")} },
	} {
		c := good()
		spoil(&c)
		err := c.Validate()
		switch {
		case want == "" && err != nil:
			t.Errorf("good configuration: %v", err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
	c := good()
	c.Workers = -1
	if _, err := Listen(c); err == nil || !*closed {
		t.Errorf("%v; sockets closed %t, want true", err, *closed)
	}
}

func TestConfigRates(t *testing.T) {
	c := Config{Limits: Limits{Source: Rate{Burst: 5}, Session: Rate{PerSecond: -1}, Handshakes: Rate{PerSecond: 7, Burst: 9}}}
	c.setDefaults()
	want := Limits{
		Source: Rate{PerSecond: 50, Burst: 200}, Challenges: Rate{PerSecond: 20_000, Burst: 20_000},
		Handshakes: Rate{PerSecond: 7, Burst: 9}, Session: Rate{PerSecond: -1},
	}
	if c.Limits != want {
		t.Errorf("%+v, want %+v", c.Limits, want)
	}
	if !c.Limits.Session.Unlimited() {
		t.Error("a negative rate is a limit")
	}
}

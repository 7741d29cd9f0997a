package portmap

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/p2p/nat"
)

// router is a nat.Interface that a test controls. It forgets mappings when their life ends.
type router struct {
	mu      sync.Mutex
	ip      net.IP
	shift   uint16 // the external port differs by this
	fail    error
	noIP    error // ExternalIP fails
	delay   time.Duration
	ends    map[int]time.Time // external port → end of life
	adds    int
	deletes int
}

func newRouter(ip string) *router {
	return &router{ip: net.ParseIP(ip), ends: make(map[int]time.Time)}
}

func (r *router) AddMapping(protocol string, ext, internal int, _ string, life time.Duration) (uint16, error) {
	time.Sleep(r.set(func() {}))
	r.mu.Lock()
	defer r.mu.Unlock()
	if protocol != "udp" {
		return 0, fmt.Errorf("protocol %q", protocol)
	}
	if r.fail != nil {
		return 0, r.fail
	}
	if ext == internal {
		ext += int(r.shift)
	}
	r.adds++
	r.ends[ext] = time.Now().Add(life)
	return uint16(ext), nil
}

func (r *router) DeleteMapping(_ string, ext, _ int) error {
	time.Sleep(r.set(func() {}))
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		return r.fail
	}
	r.deletes++
	delete(r.ends, ext)
	return nil
}

func (r *router) ExternalIP() (net.IP, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ip, errors.Join(r.fail, r.noIP)
}

func (r *router) String() string { return "test router" }

// set changes the router and returns how long its calls take.
func (r *router) set(change func()) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
	return r.delay
}

// mapped lists the external ports alive now.
func (r *router) mapped() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	var ports []int
	for port, end := range r.ends {
		if time.Now().Before(end) {
			ports = append(ports, port)
		}
	}
	return ports
}

// changes collects what the callback hears.
type changes struct {
	mu   sync.Mutex
	told []string
}

func (c *changes) add(addr netip.AddrPort) {
	c.mu.Lock()
	defer c.mu.Unlock()
	text := "lost"
	if addr.IsValid() {
		text = addr.String()
	}
	c.told = append(c.told, text)
}

func (c *changes) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Equal(c.told, want) {
		t.Fatalf("told %q, want %q", c.told, want)
	}
}

func start(r *router) (*Mapper, *changes) {
	c := new(changes)
	return Start(Config{Open: func() nat.Interface { return r }, Port: 9000, Changed: c.add}), c
}

func TestMapsRefreshesAndDeletes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRouter("203.0.113.7")
		m, c := start(r)
		c.want(t, "203.0.113.7:9000")
		for range 10 {
			time.Sleep(lifetime)
			if len(r.mapped()) != 1 {
				t.Fatalf("mapped ports %v, want one, always", r.mapped())
			}
		}
		c.want(t, "203.0.113.7:9000")
		if r.adds < 20 {
			t.Errorf("%d calls to the router in %v, want one every %v", r.adds, 10*lifetime, refresh)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if len(r.mapped()) != 0 || r.deletes != 1 {
			t.Errorf("after Close: mapped %v, %d deletes", r.mapped(), r.deletes)
		}
		if err := m.Close(); err != nil || r.deletes != 1 {
			t.Errorf("second Close: %v, %d deletes", err, r.deletes)
		}
	})
}

func TestFollowsTheRouter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRouter("203.0.113.7")
		r.shift = 5
		m, c := start(r)
		defer m.Close()
		c.want(t, "203.0.113.7:9005")
		r.set(func() { r.ip = net.ParseIP("203.0.113.8") })
		time.Sleep(refresh)
		c.want(t, "203.0.113.7:9005", "203.0.113.8:9005")
		if got := r.mapped(); !slices.Equal(got, []int{9005}) {
			t.Errorf("mapped %v: a refresh must ask for the port it has", got)
		}
	})
}

func TestOneFailedRefreshLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRouter("203.0.113.7")
		m, c := start(r)
		defer m.Close()
		c.want(t, "203.0.113.7:9000")
		r.set(func() { r.fail = errors.New("busy") })
		time.Sleep(refresh + firstRetry/2)
		r.set(func() { r.fail = nil })
		time.Sleep(lifetime)
		c.want(t, "203.0.113.7:9000")
	})
}

func TestLostAndFoundAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRouter("203.0.113.7")
		m, c := start(r)
		defer m.Close()
		c.want(t, "203.0.113.7:9000")
		r.set(func() { r.fail = errors.New("no route to router") })
		time.Sleep(2 * lifetime)
		c.want(t, "203.0.113.7:9000", "lost")
		r.set(func() { r.fail = nil })
		time.Sleep(maxRetry)
		c.want(t, "203.0.113.7:9000", "lost", "203.0.113.7:9000")
	})
}

// An interface that found no router never looks again, so every attempt needs a new one.
func TestLooksForARouterAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, opened := new(changes), 0
		m := Start(Config{Port: 9000, Changed: c.add, Open: func() nat.Interface {
			opened++
			r := newRouter("203.0.113.7")
			if opened < 3 {
				r.fail = errors.New("no router discovered")
			}
			return r
		}})
		defer m.Close()
		c.want(t)
		time.Sleep(firstRetry + 2*firstRetry)
		c.want(t, "203.0.113.7:9000")
		if opened != 3 {
			t.Errorf("looked %d times, want 3", opened)
		}
	})
}

func TestPrivateAddressIsNotPublished(t *testing.T) {
	for _, ip := range []string{"192.168.1.1", "100.64.3.2", "127.0.0.1", "0.0.0.0", "169.254.1.1", ""} {
		synctest.Test(t, func(t *testing.T) {
			m, c := start(newRouter(ip))
			defer m.Close()
			c.want(t)
			time.Sleep(lifetime)
			c.want(t)
		})
	}
}

func TestCloseDoesNotWaitForASilentRouter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRouter("203.0.113.7")
		r.delay = time.Minute
		m, c := start(r)
		time.Sleep(time.Second)
		began := time.Now()
		if err := m.Close(); !errors.Is(err, ErrCloseTimeout) {
			t.Errorf("Close: %v, want ErrCloseTimeout", err)
		}
		if took := time.Since(began); took != closeTimeout {
			t.Errorf("Close took %v, want %v", took, closeTimeout)
		}
		<-m.done // the late answer is undone, and told to nobody
		c.want(t)
		if len(r.mapped()) != 0 || r.adds != 1 {
			t.Errorf("mapped %v after %d adds, want the late mapping deleted", r.mapped(), r.adds)
		}
	})
}

// A router that maps the port and then cannot say its address leaves a mapping to clean up.
func TestDeletesAMappingThatWasNeverReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRouter("203.0.113.7")
		r.noIP = errors.New("no address yet")
		m, c := start(r)
		c.want(t)
		if err := m.Close(); err != nil || len(r.mapped()) != 0 || r.deletes != 1 {
			t.Errorf("Close: %v, mapped %v, %d deletes", err, r.mapped(), r.deletes)
		}
	})
}

func TestOpen(t *testing.T) {
	for _, method := range Methods {
		open, err := Open(method)
		if err != nil || (open == nil) != (method == "none") {
			t.Errorf("Open(%q) = %v, %v", method, open != nil, err)
		}
	}
	if _, err := Open("stun"); err == nil {
		t.Error("an unknown method was accepted")
	}
}

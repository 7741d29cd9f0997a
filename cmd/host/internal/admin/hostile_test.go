package admin

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// dialTCP opens a connection to the server's TCP listener.
func dialTCP(t *testing.T, s *Server) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.TCPAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

// Connections that say nothing, as many as there may be from one address and more, cost the operator nothing: the socket
// answers, and so does TCP when they are gone.
func TestManySilentConnections(t *testing.T) {
	const token = "0123456789abcdef"
	r := newRig(t, func(c *Config) {
		c.TCP, c.Token, c.headTimeout = netip.MustParseAddrPort("127.0.0.1:0"), token, time.Second
	})
	var silent []net.Conn
	for range maxConnsFrom + 50 {
		silent = append(silent, dialTCP(t, r.server))
	}
	for _, c := range silent[maxConnsFrom:] { // closed at once
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Fatal("a connection beyond the bound is answered")
		}
	}
	if n := r.server.Stats().Refused; n != 50 {
		t.Errorf("%d were refused, want 50", n)
	}
	r.mustCall("host_bans", `[]`)
	for _, c := range silent[:maxConnsFrom] { // closed by the server when no header comes
		if _, err := c.Read(make([]byte, 1)); err != io.EOF {
			t.Fatalf("a silent connection: %v", err)
		}
	}
	client, err := Dial("http://"+r.server.TCPAddr().String(), token)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.Call(t.Context(), "host_bans", nil, nil); err != nil {
		t.Error(err)
	}
}

// Clients with the token share an address, as behind a proxy, and are not counted as strangers there are.
func TestManyReadersFromOneAddress(t *testing.T) {
	const token = "0123456789abcdef"
	r := newRig(t, func(c *Config) { c.TCP, c.Token = netip.MustParseAddrPort("127.0.0.1:0"), token })
	for i := range 200 {
		c := dialTCP(t, r.server)
		fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", eventsPath, token)
		response, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("reader %d: %v %v", i, response, err)
		}
	}
	if st := r.server.Stats(); st.EventReaders != 200 || st.Refused != 0 {
		t.Errorf("%+v", st)
	}
	for range maxConnsFrom { // strangers have their own room
		dialTCP(t, r.server)
	}
	dialTCP(t, r.server)
	r.server.await(t, "refused", func() bool { return r.server.counters().Refused == 1 })
}

// Who has no token holds no connection, whatever is asked.
func TestStrangersAreClosed(t *testing.T) {
	r := newRig(t, func(c *Config) { c.TCP, c.Token = netip.MustParseAddrPort("127.0.0.1:0"), "0123456789abcdef" })
	for _, request := range []string{
		"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /rpc HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n{}",
		"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 2*maxHeader) + "\r\n\r\n",
	} {
		c := dialTCP(t, r.server)
		if _, err := io.WriteString(c, request); err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Errorf("%.40q: %v", request, err)
			continue
		}
		response.Body.Close()
		if !response.Close {
			t.Errorf("%.40q: answered with %d, and the connection stays open", request, response.StatusCode)
		}
	}
}

// A body that is announced and does not come holds nothing.
func TestBodyOfGet(t *testing.T) {
	r := newRig(t, nil)
	c, err := net.Dial("unix", r.server.Socket())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetReadDeadline(time.Now().Add(readTimeout + 5*time.Second)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c, "GET /v1/status HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || response.StatusCode != http.StatusBadRequest {
		t.Fatalf("%v %v", response, err)
	}
	response.Body.Close()
}

// More bytes of requests than may be under way are refused, those under way go on, and announcing much takes nothing from others.
func TestManyRequests(t *testing.T) {
	r := newRig(t, nil)
	const sent, rest = maxBody/2 + 1, `","method":"host_bans"}`
	begin := `{"id":"` + strings.Repeat("x", sent-7)
	var slow []net.Conn
	send := func(text string) {
		c, err := net.Dial("unix", r.server.Socket())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if _, err := fmt.Fprintf(c, "POST /rpc HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", sent+len(rest), text); err != nil {
			t.Fatal(err)
		}
		slow = append(slow, c)
	}
	for range 100 {
		send("")
	}
	r.mustCall("host_bans", `[]`)
	slow = nil
	for range maxBodies / maxBody {
		send(begin) // what is held doubles as it is read
	}
	r.server.await(t, "full", func() bool { return r.server.bodies.used.Load() >= maxBodies })
	if status, text := r.raw("POST", "/rpc", `{"id":1,"method":"host_bans"}`); status != http.StatusServiceUnavailable || !strings.Contains(text, "under way") {
		t.Errorf("one more request: %d %s", status, text)
	}
	if _, err := io.WriteString(slow[0], rest); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(slow[0]), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if text, err := io.ReadAll(response.Body); err != nil || !strings.Contains(string(text), `xxx","result":[]`) {
		t.Errorf("%.100s… %v", text, err)
	}
	if status, _ := r.raw("GET", healthPath, ""); status != http.StatusOK {
		t.Errorf("health: %d", status)
	}
}

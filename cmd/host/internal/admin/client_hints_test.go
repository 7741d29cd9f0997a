package admin

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/discv5/host/cmd/host/internal/hint"
)

// Who writes the place of a host in the wrong way is told the right one.
func TestHintsForPlaces(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().String()
	closed.Close()
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	for _, c := range []struct{ place, want string }{
		{"127.0.0.1:8545", "write it with http:// in front: http://127.0.0.1:8545"},
		{"[::1]:8545", "http://[::1]:8545"},
		{"http://" + nobody, "is a host running there? The block admin of its configuration says at what address it answers: listen"},
		{"https" + strings.TrimPrefix(web.URL, "http"), "a host speaks no TLS: write http:// in place of https://"},
		{t.TempDir() + "/s", "is a host running there? host run starts one, and --data-dir says which one is meant"},
		{"ftp://x", "an address is like http://127.0.0.1:8545; without :// it is the path of a socket"},
	} {
		client, err := Dial(c.place, "0123456789abcdef")
		if err == nil {
			err = client.Get(t.Context(), "/v1/status", new(Status))
			client.Close()
		}
		if err == nil || !strings.Contains(hint.Of(err), c.want) {
			t.Errorf("%s: %v, hint %q, want %q", c.place, err, hint.Of(err), c.want)
		}
	}
}

// What is neither a record nor an id is called that.
func TestNodeOfAnyForm(t *testing.T) {
	r := newRig(t, nil)
	for text, want := range map[string][2]string{
		"foo":    {`node: "foo" is neither a node record nor a node id`, "an id has 64 hex digits"},
		"enr:-x": {"node: not a node record: ", "copied whole"},
	} {
		err := r.client.Call(t.Context(), "host_filterExplain", []string{text}, nil)
		if err == nil || !strings.HasPrefix(err.Error(), want[0]) || !strings.Contains(hint.Of(err), want[1]) {
			t.Errorf("%s: %v, hint %q", text, err, hint.Of(err))
		}
	}
}

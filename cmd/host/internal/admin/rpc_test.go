package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

func TestProtocol(t *testing.T) {
	r := newRig(t, nil)
	const removed = `"jsonrpc":"2.0","id":`
	for _, c := range []struct {
		body   string
		status int
		want   string // the beginning of each answer, in order
	}{
		{`{"jsonrpc":"2.0","id":1,"method":"host_bans"}`, 200, `{` + removed + `1,"result":[]}`},
		{`{"id":"a","method":"host_bans","params":null}`, 200, `{` + removed + `"a","result":[]}`},
		{`{"id":null,"method":"host_bans","params":{}}`, 200, `{` + removed + `null,"result":[]}`},
		{`{"method":"host_bans"}`, 204, ``},
		{`{"method":"nothing"}`, 204, ``},
		{`[{"method":"host_bans"},{"method":"host_bans"}]`, 204, ``},
		{`{`, 200, `{` + removed + `null,"error":{"code":-32700`},
		{``, 200, `{` + removed + `null,"error":{"code":-32700`},
		{`[`, 200, `{` + removed + `null,"error":{"code":-32700`},
		{`[]`, 200, `{` + removed + `null,"error":{"code":-32600`},
		{`7`, 200, `{` + removed + `null,"error":{"code":-32600`},
		{`{"id":1}`, 200, `{` + removed + `null,"error":{"code":-32600`},
		{`{"id":{},"method":"host_bans"}`, 200, `{` + removed + `null,"error":{"code":-32600`},
		{`{"id":1,"method":7}`, 200, `{` + removed + `null,"error":{"code":-32600`},
		{`{"jsonrpc":"1.0","id":1,"method":"host_bans"}`, 200, `{` + removed + `1,"error":{"code":-32600`},
		{`[7,{"id":2,"method":"host_bans"},{"method":"host_bans"},{"id":3,"method":"x"}]`, 200,
			`[{` + removed + `null,"error":{"code":-32600*{` + removed + `2,"result":[]},*{` + removed + `3,"error":{"code":-32601`},
		{`[` + strings.TrimSuffix(strings.Repeat(`{"id":1,"method":"host_bans"},`, maxBatch+1), ",") + `]`, 200, `{` + removed + `null,"error":{"code":-32005`},
		{strings.Repeat(" ", maxBody+1), 413, `{` + removed + `null,"error":{"code":-32005`},
	} {
		for _, path := range rpcPaths {
			status, got := r.raw("POST", path, c.body)
			rest, ok := got, true
			for i, part := range strings.Split(c.want, "*") {
				k := strings.Index(rest, part)
				if k < 0 || i == 0 && k > 0 {
					ok = false
					break
				}
				rest = rest[k+len(part):]
			}
			if status != c.status || !ok || c.want == "" && got != "" {
				t.Errorf("%.100s: %d %s, want %d %s", c.body, status, got, c.status, c.want)
			}
		}
	}
}

// A batch keeps its order, whatever its calls take.
func TestLargeBatch(t *testing.T) {
	r := newRig(t, nil)
	var calls []string
	for i := range maxBatch {
		calls = append(calls, fmt.Sprintf(`{"id":%d,"method":"discv5_nodeInfo"}`, i))
	}
	_, text := r.raw("POST", "/rpc", "["+strings.Join(calls, ",")+"]")
	var answers []answer
	if err := json.Unmarshal([]byte(text), &answers); err != nil || len(answers) != maxBatch {
		t.Fatalf("%d answers, %v", len(answers), err)
	}
	for i, a := range answers {
		if string(a.ID) != fmt.Sprint(i) || a.Error != nil {
			t.Errorf("answer %d is %s %v", i, a.ID, a.Error)
		}
	}
}

func TestBusyAndPanic(t *testing.T) {
	entered, leave := make(chan bool, maxCalls), make(chan bool)
	r := newRig(t, nil)
	r.node.lookup = func(ctx context.Context) ([]*enode.Node, error) {
		entered <- true
		select {
		case <-leave:
			panic("by a test")
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	body := `{"id":1,"method":"discv5_recursiveFindNodes","params":["` + strings.Repeat("11", 32) + `"]}`
	answers := make(chan string, maxCalls)
	for range maxCalls {
		go func() {
			response, err := r.client.http.Post("http://host/rpc", "application/json", strings.NewReader(body))
			if err != nil {
				answers <- err.Error()
				return
			}
			defer response.Body.Close()
			text, _ := io.ReadAll(response.Body) // a short one fails the comparison
			answers <- string(text)
		}()
	}
	for range maxCalls {
		<-entered
	}
	if _, err := r.call("host_bans", `[]`); err == nil || err.(interface{ Unwrap() error }).Unwrap().(*Error).Code != CodeLimit {
		t.Errorf("a call beyond the bound: %v", err)
	}
	close(leave)
	for range maxCalls {
		if text := <-answers; !strings.Contains(text, `-32603`) || strings.Contains(text, "by a test") {
			t.Error(text)
		}
	}
	r.mustCall("host_bans", `[]`)
}

// No request makes a server panic.
func FuzzRequest(f *testing.F) {
	for _, m := range methods {
		for _, params := range []string{`["0x00", [["a", null]], {}]`, `[[], 1e99]`, `[[[]], "192.0.2.1/0"]`, `{}`, `[{"a": null}]`, `["", "", ""]`} {
			f.Add(fmt.Sprintf(`{"id":1,"method":%q,"params":%s}`, m.name, params))
		}
	}
	f.Add(`[[],{}]`)
	node, err := listenLoopback()
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { node.Close() })
	s, err := Listen(Config{Node: node, Plugins: &fakePlugins{}, Socket: SocketPath(f.TempDir())})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	f.Fuzz(func(t *testing.T, body string) {
		w := httptest.NewRecorder()
		s.serveRPC(w, httptest.NewRequest(http.MethodPost, "/rpc", strings.NewReader(body)))
		text := w.Body.String()
		if strings.Contains(text, `"code":-32603`) || w.Code >= 500 || text != "" && !json.Valid([]byte(text)) {
			t.Errorf("%s: %d %s", body, w.Code, text)
		}
	})
}

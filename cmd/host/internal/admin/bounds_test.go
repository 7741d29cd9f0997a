package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/discv5/host/core"
)

// allocated is how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// A request of many small values takes a few times its size in memory, wherever they are.
func TestManyValues(t *testing.T) {
	s := newServer(Config{})
	ones := strings.Repeat("1,", 500_000) + "1"
	names := new(strings.Builder)
	for i := range 80_000 {
		fmt.Fprintf(names, `"k%d":0,`, i)
	}
	for what, body := range map[string]string{
		"a batch":                     "[" + ones + "]",
		"a batch of lists":            "[" + strings.Repeat("[[[]]],", 140_000) + "1]",
		"parameters by place":         `{"id":1,"method":"discv5_addEnrs","params":[` + ones + `]}`,
		"a list among the parameters": `{"id":1,"method":"discv5_addEnrs","params":[[` + ones + `]]}`,
		"parameters by name":          `{"id":1,"method":"discv5_addEnrs","params":{` + names.String() + `"enrs":[]}}`,
		"an object":                   `{"id":1,"method":"host_setFields","params":[{` + names.String() + `"a":1}]}`,
		"an object in a batch":        `[{"id":1,"method":"host_setFields","params":[{` + names.String() + `"a":1}]}]`,
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/rpc", strings.NewReader(body))
		if used := allocated(func() { s.serveRPC(w, r) }); used > 6*uint64(len(body)) {
			t.Errorf("%s of %d bytes takes %d", what, len(body), used)
		}
		if text := w.Body.String(); !strings.Contains(text, `"reason":"too_large"`) {
			t.Errorf("%s: %.200s", what, text)
		}
	}
	if s.bodies.used.Load() != 0 || s.answers.used.Load() != 0 {
		t.Errorf("%d and %d bytes are held at the end", s.bodies.used.Load(), s.answers.used.Load())
	}
}

// Brackets and commas in texts, and escaped quotes, structure nothing.
func TestElements(t *testing.T) {
	for text, want := range map[string]string{
		`[]`: ``, "[ \n]": ``, `[1]`: `1`, `[1,2]`: `1|2`, `["a,]\"[", {"b": [1, 2], "c,": {}}, [[3,4],5]]`: `"a,]\"["| {"b": [1, 2], "c,": {}}| [[3,4],5]`,
		`["\\",1]`: `"\\"|1`, `[1,2,3,4,5]`: `1|2|3|4`,
	} {
		var parts []string
		for _, e := range elements([]byte(text), 3) {
			parts = append(parts, string(e))
		}
		if got := strings.Join(parts, "|"); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	for text, most := range map[string]int{`7`: 0, `",,[["`: 0, `[1,2,3]`: 4, `{"a":{"b":[]}}`: 6} {
		if got := values([]byte(text)); got != most {
			t.Errorf("%s: %d, want %d", text, got, most)
		}
	}
}

// stuckWriter takes nothing until it may.
type stuckWriter struct {
	*httptest.ResponseRecorder
	stuck chan bool // told that there is something to write
	may   chan bool // closed in the end
}

func (w *stuckWriter) Write(p []byte) (int, error) {
	w.stuck <- true
	<-w.may
	return w.ResponseRecorder.Write(p)
}

// Clients that take nothing of what they asked for keep nobody from copies of large state.
func TestStalledGets(t *testing.T) {
	r := newRig(t, nil)
	if err := r.node.Ban(ban(1)); err != nil {
		t.Fatal(err)
	}
	handler := r.server.handler(true)
	stuck, may := make(chan bool), make(chan bool)
	var all sync.WaitGroup
	defer all.Wait()
	defer close(may)
	for _, path := range []string{"/v1/bans", "/v1/table", "/v1/sessions", "/v1/nodes"} {
		for range maxCopies {
			all.Go(func() {
				handler.ServeHTTP(&stuckWriter{httptest.NewRecorder(), stuck, may}, httptest.NewRequest(http.MethodGet, path, nil))
			})
			<-stuck
		}
	}
	for range maxCalls {
		all.Go(func() {
			body := strings.NewReader(`{"id":1,"method":"host_bans"}`)
			r.server.serveRPC(&stuckWriter{httptest.NewRecorder(), stuck, may}, httptest.NewRequest(http.MethodPost, "/rpc", body))
		})
		<-stuck
	}
	for _, path := range []string{"/v1/bans", "/v1/table", "/v1/sessions", "/v1/nodes"} {
		if status, text := r.raw(http.MethodGet, path, ""); status != http.StatusOK {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	r.mustCall("host_bans", `[]`)
}

// Who waits for a copy takes no call from others, and does not wait for long.
func TestWaitForCopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(Config{})
		for range maxCopies {
			s.copies <- struct{}{}
		}
		begin := time.Now()
		texts := make(chan string, 2*maxCalls)
		for range maxCalls {
			go func() {
				w := httptest.NewRecorder()
				s.serveRPC(w, httptest.NewRequest(http.MethodPost, "/rpc", strings.NewReader(`{"id":1,"method":"host_bans"}`)))
				texts <- w.Body.String()
			}()
			go func() {
				w := httptest.NewRecorder()
				s.handler(true).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/bans", nil))
				texts <- fmt.Sprint(w.Code, w.Body)
			}()
		}
		synctest.Wait()
		if n := len(s.calls); n != 0 {
			t.Errorf("%d calls are taken by those who wait", n)
		}
		for range 2 * maxCalls {
			if text := <-texts; !strings.Contains(text, "wait for a copy") || !strings.HasPrefix(text, "503") && !strings.Contains(text, `"busy"`) {
				t.Error(text)
			}
		}
		if took := time.Since(begin); took != copyPatience {
			t.Errorf("they waited for %v", took)
		}
	})
}

// Large answers on their way are bounded, and small ones go on.
func TestAnswersOnTheirWay(t *testing.T) {
	s := newServer(Config{})
	large, stuck, may := strings.Repeat("x", maxAnswers/2), make(chan bool), make(chan bool)
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() { s.answer(&stuckWriter{httptest.NewRecorder(), stuck, may}, large) })
		<-stuck
	}
	w := httptest.NewRecorder()
	if s.answer(w, large[:2*smallAnswer]); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "on their way") {
		t.Errorf("one more: %d %.100s", w.Code, w.Body)
	}
	w = httptest.NewRecorder()
	if s.answer(w, "<small>"); w.Code != http.StatusOK || w.Body.String() != "\"<small>\"\n" {
		t.Errorf("a small one: %d %s", w.Code, w.Body)
	}
	close(may)
	all.Wait()
	w = httptest.NewRecorder()
	if s.answer(w, large+large); w.Code != http.StatusOK || w.Body.Len() < 2*len(large) { // alone, though it is too large
		t.Errorf("afterwards: %d", w.Code)
	}
	if s.answers.used.Load() != 0 {
		t.Errorf("%d bytes are held at the end", s.answers.used.Load())
	}
}

// A node that hangs is asked once, however many want its status, and none of them takes a call for long.
func TestStatusOfHungNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, hang := &fakeNode{}, make(chan bool)
		asked := 0
		node.setStats(func() core.Stats { asked++; <-hang; return core.Stats{} })
		s := newServer(Config{Node: node})
		defer close(hang)
		for range 3 {
			for range maxCalls {
				go func() {
					if _, err := s.do(t.Context(), "host_status", nil, &hold{of: &s.answers}); err == nil || failure(err).Code != CodeUnavailable {
						t.Errorf("host_status: %v", err)
					}
				}()
			}
			w := httptest.NewRecorder()
			s.handler(true).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/status", nil))
			if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), silentNode) {
				t.Errorf("/v1/status: %d %s", w.Code, w.Body)
			}
			synctest.Wait()
			if n := len(s.calls); n != 0 {
				t.Errorf("%d calls are taken", n)
			}
		}
		if st := s.Stats(); !st.Silent || st.Ready {
			t.Errorf("%+v", st)
		}
		if asked != 1 {
			t.Errorf("the node was asked %d times", asked)
		}
	})
}

// An id that is no text at all is not sent back, and neither is what a plugin says.
func TestNoUTF8(t *testing.T) {
	r := newRig(t, nil)
	for body, want := range map[string]string{
		"{\"id\":\"\xff\",\"method\":\"host_bans\"}":                   `"id":null,"error":{"code":-32600`,
		"{\"id\":1,\"method\":\"echo_count\",\"params\":[\"a\xffb\"]}": "\"id\":1,\"result\":[\"a\ufffdb\"]",
	} {
		if _, text := r.raw(http.MethodPost, "/rpc", body); !strings.Contains(text, want) {
			t.Errorf("%q: %q", body, text)
		}
	}
}

// A reload that is under way when the host ends does not promise to go on, whether it gives up or not.
func TestReloadAtTheEnd(t *testing.T) {
	over := make(chan bool)
	defer close(over)
	for range 20 { // with either end first
		s := newServer(Config{})
		_, err := s.reload(s.ctx, func(ctx context.Context) (ReloadResult, error) { s.cancel(); return ReloadResult{}, ctx.Err() })
		if !errors.Is(err, errEnding) {
			t.Errorf("one that gives up: %v", err)
		}
	}
	s := newServer(Config{})
	_, err := s.reload(s.ctx, func(context.Context) (ReloadResult, error) { s.cancel(); <-over; return ReloadResult{}, nil })
	if !errors.Is(err, errEnding) {
		t.Errorf("one that goes on: %v", err)
	}
}

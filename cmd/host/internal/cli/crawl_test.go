package cli

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/discv5/host/cmd/host/internal/crawl"
	"github.com/discv5/host/cmd/host/internal/hint"
)

func TestEverywhere(t *testing.T) {
	for _, tt := range []struct {
		listen []string
		way6   bool
		want   string
	}{
		{[]string{"127.0.0.1:0"}, true, "[0.0.0.0:0]"},
		{[]string{"[::1]:0"}, true, "[[::]:0]"},
		{[]string{"0.0.0.0:0"}, false, "[0.0.0.0:0]"},
		{[]string{"0.0.0.0:0"}, true, "[0.0.0.0:0 [::]:0]"},
		{[]string{"0.0.0.0:0", "[::]:0"}, true, "[0.0.0.0:0 [::]:0]"},
	} {
		var listen []netip.AddrPort
		for _, text := range tt.listen {
			listen = append(listen, netip.MustParseAddrPort(text))
		}
		if got := fmt.Sprint(everywhere(listen, func() bool { return tt.way6 })); got != tt.want {
			t.Errorf("%v, IPv6 %v: %s, want %s", tt.listen, tt.way6, got, tt.want)
		}
	}
}

func TestCrawlProgress(t *testing.T) {
	var b bytes.Buffer
	p := newCrawlProgress(&b)
	for s := range 21 {
		p.show(time.Duration(s)*time.Second, crawl.Counts{Known: s, Requests: uint64(100 * s)})
	}
	p.close()
	if want := "crawl: 10s  10 known, 0 alive, 0 dead, 0 waiting, 0 in flight, 100/s\ncrawl: 20s  20 known, "; !strings.HasPrefix(b.String(), want) || strings.Count(b.String(), "\n") != 2 {
		t.Errorf("not on a terminal: %q", b.String())
	}
	b.Reset()
	p = &crawlProgress{w: &b, terminal: true}
	p.show(time.Second, crawl.Counts{Known: 7})
	p.close()
	if want := "\r\x1b[K1s  7 known, 0 alive, 0 dead, 0 waiting, 0 in flight, 0/s\r\x1b[K"; b.String() != want {
		t.Errorf("on a terminal: %q, want %q", b.String(), want)
	}
}

// A crawl that found nobody alive fails, unless it was ended before it could.
func TestCrawlOfNobody(t *testing.T) {
	c := &crawling{}
	for _, tt := range []struct {
		s    crawl.Summary
		want string // "": no error
	}{
		{crawl.Summary{End: crawl.Complete, Alive: 1, Requests: 3, Timeouts: 2}, ""},
		{crawl.Summary{End: crawl.Complete, Requests: 2, Timeouts: 2}, "nobody answered: 2 requests, and"},
		{crawl.Summary{End: crawl.TimeOver, Requests: 2, Timeouts: 1}, "nobody answered: 2 requests, and"},
		{crawl.Summary{End: crawl.Complete}, "nobody to ask"},
		{crawl.Summary{End: crawl.Complete, Requests: 1}, "nobody answered: 1 request"},
		{crawl.Summary{End: crawl.TimeOver}, ""},
		{crawl.Summary{End: crawl.Interrupted, Requests: 2, Timeouts: 2}, ""},
	} {
		err := c.nobody(&tt.s)
		if (err == nil) != (tt.want == "") || err != nil && (!strings.Contains(err.Error(), tt.want) || hint.Of(err) == "") {
			t.Errorf("%+v: %v, want %q", tt.s, err, tt.want)
		}
	}
}

// Results come about beside their file, under a name that nobody can have taken.
func TestResultFile(t *testing.T) {
	dir := t.TempDir()
	path, precious := filepath.Join(dir, "out"), filepath.Join(dir, "precious")
	if err := os.WriteFile(precious, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(precious, path+".part"); err != nil {
		t.Skip("no symbolic links: ", err)
	}
	for _, keep := range []bool{true, false} {
		f, err := new(crawling).createFile("--out", path, nil)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(f, "written, kept: ", keep)
		if keep {
			err = f.commit()
		} else {
			err = f.abandon()
		}
		if err != nil {
			t.Error(err)
		}
	}
	for name, want := range map[string]string{precious: "precious", path: "written, kept: true"} {
		if got, err := os.ReadFile(name); string(got) != want || err != nil {
			t.Errorf("%s is %q, %v, want %q", name, got, err, want)
		}
	}
	if left, err := os.ReadDir(dir); len(left) != 3 || err != nil {
		t.Errorf("%v is left, %v", left, err)
	}
}

package cli

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/discv5/host/cmd/host/internal/crawl"
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

//go:build unix

package bolt

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/discv5/host/sdk"
	"github.com/discv5/host/sdk/sdktest"
)

// smallFiles is the most bytes of a file of a process that serves with the argument "small": its disk is full soon.
const smallFiles = 1 << 20

// serveSmall serves where no file grows beyond smallFiles.
func serveSmall() {
	signal.Ignore(syscall.SIGXFSZ) // writes fail then, as on a full disk
	limit := syscall.Rlimit{Cur: smallFiles, Max: smallFiles}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		panic(err)
	}
	sdk.Serve(Plugin())
}

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "small" {
		serveSmall()
	}
	serveOrTest(m)
}

// When the disk is full puts fail and say so, what is there stays and can be read, and all is well with more room.
func TestDiskFull(t *testing.T) {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	config := sdktest.Config(map[string]any{"path": filepath.Join(t.TempDir(), "store.db")})
	ctx, value := context.Background(), strings.Repeat("x", 10_000)
	batch := func(number int) (entries []sdk.Entry) {
		for i := range 4 {
			entries = append(entries, entry(fmt.Sprintf("%03d/%d", number, i), value, uint64(number)))
		}
		return entries
	}
	p := sdktest.Exec(t, path, config, sdktest.Args("small"))
	stored := 0
	for ; err == nil && stored < 100; stored++ {
		err = p.Store().Put(ctx, batch(stored))
	}
	stored--
	if err == nil || stored == 0 {
		t.Fatalf("%d batches fit, %v", stored, err)
	}
	if h := p.Health(); !strings.HasPrefix(h, "degraded: ") {
		t.Errorf("on a full disk health says %q", h)
	}
	whole := func(what string) {
		t.Helper()
		found := 0
		for after := []byte(nil); ; {
			page, err := p.Store().Scan(ctx, nil, after, 16)
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			for _, e := range page {
				if string(e.Value) != value {
					t.Errorf("%s: %s is damaged", what, e.Key)
				}
				after = e.Key
			}
			if found += len(page); len(page) < 16 {
				break
			}
		}
		if found != 4*stored {
			t.Errorf("%s: %d entries are there, not %d", what, found, 4*stored)
		}
	}
	whole("on a full disk")
	for range 3 { // it goes on failing without harm
		if err := p.Store().Put(ctx, batch(stored)); err == nil {
			t.Error("a full disk has room")
		}
	}
	whole("after more puts")
	if err := p.Store().Delete(ctx, batch(0)); err == nil { // which needs room too, and may have it
		stored--
	}
	p.Stop()
	p = sdktest.Exec(t, path, config, sdktest.Args("serve"))
	whole("with more room")
	if h := p.Health(); h != "" {
		t.Errorf("with more room health says %q", h)
	}
	if err := p.Store().Put(ctx, batch(101)); err != nil {
		t.Errorf("with more room: %v", err)
	}
}

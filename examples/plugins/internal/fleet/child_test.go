package fleet

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/discv5/host/core"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// spec is what a host in a process of its own is told.
type spec struct {
	Dir, Run, Key string
	First         bool // its key is new
	Backend       backend
	Peers         []string
}

// runHost is the program of such a host: it changes its record all the time, bans, and says what it does on stdout, until stdin ends. After a
// line on stdin it changes nothing any more.
func runHost(args []string) int {
	var s spec
	if err := json.Unmarshal([]byte(args[0]), &s); err != nil {
		panic(err)
	}
	secret, err := hex.DecodeString(s.Key)
	if err != nil {
		panic(err)
	}
	key, err := crypto.ToECDSA(secret)
	if err != nil {
		panic(err)
	}
	h, err := s.Backend.startHost(s.Dir, s.Run, key, func(c *core.Config) { c.NewKey = s.First })
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("record", h.Self())
	for _, p := range s.Peers {
		if _, err := h.AddENR(p); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	var quiet atomic.Bool
	go func() {
		for in := bufio.NewScanner(os.Stdin); in.Scan(); { // until the test ends
			quiet.Store(true)
		}
		os.Exit(0)
	}()
	plugin := 0
	for tick := time.NewTicker(5 * time.Millisecond); ; <-tick.C {
		if quiet.Load() {
			fmt.Println("store", storeState(h))
			continue
		}
		if err := h.SetFields(context.Background(), "operator", map[string]any{"i": rand.Uint64()}); err != nil {
			fmt.Fprintln(os.Stderr, "set a field:", err)
		}
		fmt.Println("record", h.Self())
		if err := h.Ban(core.Ban{ID: enode.ID{byte(rand.IntN(256)), 1}, Until: time.Now().Add(time.Hour)}); err != nil {
			fmt.Fprintln(os.Stderr, "ban:", err)
		}
		if now := h.set.Status()[0].PID; now != plugin {
			plugin = now
			fmt.Println("plugin", plugin)
		}
	}
}

// storeState tells whether all is written, and the sum of the sequence numbers of the nodes that are verified: others are not stored.
func storeState(h *host) string {
	sum := uint64(0)
	for _, n := range h.Table().Nodes {
		if n.Verified {
			sum += n.Node.Seq()
		}
	}
	if s := h.StoreStats(); h.StoreError() != nil || s.Waiting > 0 || !s.Loaded {
		return "behind"
	}
	return fmt.Sprint("has ", sum)
}

// child is a running process of runHost.
type child struct {
	cmd  *exec.Cmd
	life io.WriteCloser
	read sync.WaitGroup

	mu      sync.Mutex
	records []*enode.Node // what it published, that nobody has looked at
	newest  *enode.Node
	plugin  int
	state   string
}

func startChild(t testing.TB, s spec) *child {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: exec.Command(self, hostArg, string(text))}
	c.cmd.Stderr = os.Stderr
	if c.life, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c.read.Go(func() {
		for in := bufio.NewScanner(out); in.Scan(); {
			c.said(in.Text())
		}
	})
	t.Cleanup(c.kill)
	within(t, 20*time.Second, "the host runs", func() error {
		if c.self() == nil {
			return errors.New("it has no record")
		}
		return nil
	})
	return c
}

func (c *child) said(line string) {
	what, value, _ := strings.Cut(line, " ")
	c.mu.Lock()
	defer c.mu.Unlock()
	switch what {
	case "record":
		if n, err := enode.Parse(enode.ValidSchemes, value); err == nil { // a killed process may leave half a line
			c.records, c.newest = append(c.records, n), n
		}
	case "plugin":
		c.plugin, _ = strconv.Atoi(value) // 0: none
	case "store":
		c.state = value
	}
}

func (c *child) self() *enode.Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.newest
}

// published returns what it has published since the last call.
func (c *child) published() (all []*enode.Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	all, c.records = c.records, nil
	return all
}

func (c *child) store() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// quiet makes it change nothing any more.
func (c *child) quiet(t testing.TB) {
	t.Helper()
	if _, err := io.WriteString(c.life, "quiet\n"); err != nil {
		t.Error(err)
	}
}

// killPlugin kills its plugin, if there is one just now.
func (c *child) killPlugin() {
	c.mu.Lock()
	pid := c.plugin
	c.mu.Unlock()
	if p, err := os.FindProcess(pid); pid > 0 && err == nil {
		_ = p.Kill() // it may have ended
	}
}

// kill ends it as a crash does. It may be called twice.
func (c *child) kill() {
	_ = c.cmd.Process.Kill() // it may have ended
	c.read.Wait()
	_ = c.cmd.Wait() // it was killed
	_ = c.life.Close()
}

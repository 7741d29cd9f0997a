//go:build linux

package process

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

// A host that is killed takes its plugins with it; the next one removes what they leave.
func TestHostIsKilled(t *testing.T) {
	for _, mode := range []string{"ignores TERM", "grandchild keeps stderr", "child in the group"} {
		t.Run(mode, func(t *testing.T) {
			dir := runDir(t)
			host := exec.Command(self(t), "mode=host", dir, mode)
			host.Stderr = os.Stderr
			out, err := host.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := host.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(out)
			number := func() int {
				if !lines.Scan() {
					t.Fatal("the host ended early")
				}
				n, err := strconv.Atoi(lines.Text())
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
			plugin, child := number(), 0
			if mode != "ignores TERM" {
				child = number()
			}
			if swept, err := Sweep(dir, hclog.NewNullLogger()); err != nil || swept != (Swept{}) {
				t.Errorf("swept %+v, %v beside a running host", swept, err)
			}
			if _, there := identify(plugin); !there {
				t.Fatal("the plugin does not run")
			}
			if err := host.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			_ = host.Wait()
			eventually(t, "the plugin is gone", func() bool { _, there := identify(plugin); return !there })
			took := time.Since(start)
			t.Logf("the plugin was gone after %v", took)
			if took > time.Second {
				t.Errorf("the plugin was gone only after %v", took)
			}
			if child != 0 {
				if _, there := identify(child); !there {
					t.Fatal("the grandchild is gone already, so that this test shows nothing")
				}
			}
			swept, err := Sweep(dir, hclog.NewNullLogger())
			if err != nil || swept.Dirs != 1 || swept.Processes != min(child, 1) {
				t.Errorf("swept %+v, %v", swept, err)
			}
			wantEmpty(t, dir)
			if child != 0 {
				eventually(t, "the grandchild is gone", func() bool { _, there := identify(child); return !there })
			}
		})
	}
}

// behaveAsHost starts a plugin, tells its number and that of its child, and waits.
func behaveAsHost(dir, mode string) {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	p, err := Start(context.Background(), Spec{Name: "p", Path: path, Args: []string{"mode=" + mode}, RunDir: dir})
	if err != nil {
		panic(err)
	}
	fmt.Println(p.PID())
	if mode != "ignores TERM" {
		for len(p.LastLines()) == 0 {
			time.Sleep(time.Millisecond)
		}
		fmt.Println(p.LastLines()[0])
	}
	select {}
}

// Processes and directories that are somebody else's stay, whatever the numbers in the records are.
func TestSweepLeavesOthersAlone(t *testing.T) {
	dir := runDir(t)
	sleeper := exec.Command("sleep", "60")
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sleeper.Process.Kill(); _ = sleeper.Wait() }()
	who, _ := identify(sleeper.Process.Pid)
	write := func(name string, files map[string]string) {
		path := filepath.Join(dir, name)
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		for file, text := range files {
			if err := os.WriteFile(filepath.Join(path, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	other := strings.Replace(who, " ", " 9", 1) // the same number, started at another time
	gone := recordMagic + "999999999 1 x\n"
	write("p-1", map[string]string{ownerFile: gone, processFile: recordMagic + other + "\n"})
	write("p-2", map[string]string{ownerFile: gone, processFile: recordMagic + "1 1 x"})
	write("p-3", map[string]string{ownerFile: gone, processFile: "garbage", "plugin123": ""})
	write("p-4", map[string]string{ownerFile: recordMagic + who + "\n"})
	write("photos", map[string]string{"holiday.jpg": "x", ownerFile: "the beach house"})
	if err := os.WriteFile(filepath.Join(dir, "p-5"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	swept, err := Sweep(dir, hclog.NewNullLogger())
	if err != nil || swept.Processes != 0 || swept.Dirs != 3 {
		t.Errorf("swept %+v, %v; want 3 directories and nobody", swept, err)
	}
	if now, there := identify(sleeper.Process.Pid); !there || now != who {
		t.Error("a process with the number of a plugin was killed")
	}
	var left []string
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if fmt.Sprint(left) != "[p-4 p-5 photos]" {
		t.Errorf("left: %q", left)
	}
	if _, err := Sweep(filepath.Join(dir, "none"), hclog.NewNullLogger()); err == nil {
		t.Error("swept a directory that does not exist")
	}
}

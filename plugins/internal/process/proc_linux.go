package process

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// clockTicks is the unit of times in /proc, in hertz: USER_HZ, which is the same on all architectures that Go supports.
const clockTicks = 100

// identifiesStart says that identify tells a process from a later one of the same number.
const identifiesStart = true

// stat returns the fields of /proc/<pid>/stat from the third on: the second may contain anything.
func stat(pid int) []string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	end := bytes.LastIndexByte(b, ')')
	if end < 0 {
		return nil
	}
	return strings.Fields(string(b[end+1:]))
}

var bootID = sync.OnceValue(func() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b))
})

// identify names a process so that no other one has the same name: its number, the time of its start, and the boot.
func identify(pid int) (string, bool) {
	f := stat(pid)
	if len(f) < 20 || f[0] == "Z" {
		return "", false
	}
	return fmt.Sprintf("%d %s %s", pid, f[19], bootID()), true
}

// usage reads what a process has taken.
func usage(pid int) (Usage, bool) {
	f := stat(pid)
	if len(f) < 22 {
		return Usage{}, false
	}
	number := func(i int) int64 { v, _ := strconv.ParseInt(f[i], 10, 64); return v }
	return Usage{
		CPU: time.Duration(number(11)+number(12)) * (time.Second / clockTicks),
		RSS: number(21) * int64(os.Getpagesize()),
	}, true
}

// killMarked kills all processes whose environment names one of the directories as that of their socket.
func killMarked(dirs map[string]bool) int {
	const rounds = 10 // somebody may fork in between
	killed := make(map[string]bool)
	for range rounds {
		before := len(killed)
		for _, pid := range processes() {
			who, ok := identify(pid)
			if ok && pid != os.Getpid() && !killed[who] && marked(pid, dirs) && killIf(pid, dirs) {
				killed[who] = true
			}
		}
		if len(killed) == before {
			break
		}
	}
	return len(killed)
}

func processes() (pids []int) {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1)
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil && pid > 1 {
			pids = append(pids, pid)
		}
	}
	return pids
}

// marked reads the environment that a process was started with.
func marked(pid int, dirs map[string]bool) bool {
	f, err := os.Open(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return false
	}
	defer f.Close()
	env, _ := io.ReadAll(io.LimitReader(f, 1<<20))
	for v := range bytes.SplitSeq(env, []byte{0}) {
		if dir, ok := bytes.CutPrefix(v, []byte(socketDirVar+"=")); ok && dirs[string(dir)] {
			return true
		}
	}
	return false
}

// killIf kills a process if it is still marked when it is held.
func killIf(pid int, dirs map[string]bool) bool {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ENOSYS) { // before Linux 5.3
		return syscall.Kill(pid, syscall.SIGKILL) == nil
	}
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return marked(pid, dirs) && unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) == nil
}

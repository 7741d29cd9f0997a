package process

import (
	"errors"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// prepare puts the process into a group of its own, which dies with the host.
func prepare(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// await waits for the end of the process. ended is called before the process is reaped: until then nobody else can have its
// number.
func await(cmd *exec.Cmd, ended func()) {
	for errors.Is(unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
	}
	ended()
	_ = cmd.Wait() // its state tells the same
}

func signalGroup(pid int, s syscall.Signal) { _ = syscall.Kill(-pid, s) }

// killLeftovers kills what remains in the group of a process that has ended.
func killLeftovers(pid int) { signalGroup(pid, syscall.SIGKILL) }

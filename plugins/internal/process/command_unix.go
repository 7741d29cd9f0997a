//go:build unix && !linux

package process

import (
	"os/exec"
	"syscall"
)

// prepare puts the process into a group of its own. It notices by itself when the host is gone.
func prepare(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// await waits for the end of the process. ended is called right after.
func await(cmd *exec.Cmd, ended func()) {
	_ = cmd.Wait() // its state tells the same
	ended()
}

func signalGroup(pid int, s syscall.Signal) { _ = syscall.Kill(-pid, s) }

// killLeftovers kills what remains in the group of a process that has ended. As long as something does, nobody else can
// have its number.
func killLeftovers(pid int) { signalGroup(pid, syscall.SIGKILL) }

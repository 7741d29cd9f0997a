package process

import (
	"os"
	"os/exec"
	"syscall"
)

// prepare keeps the console's Ctrl-C from the process.
func prepare(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

// await waits for the end of the process. ended is called right after.
func await(cmd *exec.Cmd, ended func()) {
	_ = cmd.Wait() // its state tells the same
	ended()
}

// signalGroup kills the process: there are no groups, and no other signal.
func signalGroup(pid int, s syscall.Signal) {
	if p, err := os.FindProcess(pid); err == nil && s == syscall.SIGKILL {
		_ = p.Kill()
		_ = p.Release()
	}
}

// killLeftovers does nothing: without groups nobody knows what a process left behind.
func killLeftovers(int) {}

//go:build unix

package sdktest

import (
	"os/exec"
	"syscall"
)

// group puts a command into a process group of its own, before its start.
func group(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup kills a command and what it started.
func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // unless all have ended

//go:build !unix

package sdktest

import "os/exec"

func group(*exec.Cmd) {}

// killGroup kills a command.
func killGroup(cmd *exec.Cmd) { _ = cmd.Process.Kill() } // unless it has ended

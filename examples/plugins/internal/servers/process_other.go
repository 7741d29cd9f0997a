//go:build !unix

package servers

import "os/exec"

const (
	stopSignal     = 0
	continueSignal = 0
)

// supported tells whether servers can be started here.
const supported = false

func (s *Server) signal(int)    {}
func alive(int) bool            { return false }
func own(*exec.Cmd)             {}
func giveAway(dir string) error { return nil }

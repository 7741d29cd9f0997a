//go:build unix

package servers

import (
	"errors"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// supported tells whether servers can be started here.
const supported = true

// alive tells whether a process is there, and not waiting for its parent's notice.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return true // there is no /proc here
	}
	for i := len(stat) - 1; i > 1; i-- { // "pid (name) state …", and a name may have parentheses
		if stat[i] == ')' && i+2 < len(stat) {
			return stat[i+2] != 'Z'
		}
	}
	return true
}

// unprivileged is whom servers run as when we are root, which PostgreSQL refuses.
func unprivileged() (uid, gid uint32, err error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		return uint32(uid), uint32(gid), errors.Join(err1, err2)
	}
	return 0, 0, errors.New("there is no user postgres or nobody")
}

// own makes a command run without the rights of root.
func own(cmd *exec.Cmd) {
	if os.Geteuid() != 0 {
		return
	}
	if uid, gid, err := unprivileged(); err == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid}}
	}
}

// giveAway makes a folder belong to whom servers run as.
func giveAway(dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	uid, gid, err := unprivileged()
	if err != nil {
		return err
	}
	return os.Chown(dir, int(uid), int(gid))
}

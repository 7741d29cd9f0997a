package process

import (
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Swept is what Sweep found.
type Swept struct {
	Dirs      int // removed
	Processes int // killed
}

// Sweep removes what hosts that were killed have left in a run directory: the descendants of their plugins, and the
// directories. It works on them for at most 5 s. What belongs to a host that runs, this one included, stays, and so does everything that was not made by Start.
//
// A process is known by its number together with the time of its start, or by its environment, which names the directory. On systems
// other than Linux only directories are swept: plugins notice by themselves there that their host is gone.
func Sweep(runDir string, log hclog.Logger) (Swept, error) {
	var swept Swept
	root, err := filepath.Abs(runDir)
	if err != nil {
		return swept, err
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		return swept, err
	}
	dirs := make(map[string]bool)
	for _, e := range entries {
		dir := filepath.Join(root, e.Name())
		if !e.IsDir() {
			continue
		}
		owner, ours := readRecord(dir, ownerFile)
		if !ours {
			continue
		}
		if _, running := recorded(owner); !running {
			dirs[dir] = true
		}
	}
	for dir := range dirs {
		if who, ok := readRecord(dir, processFile); ok {
			if pid, running := recorded(who); running && identifiesStart {
				signalGroup(pid, syscall.SIGKILL)
				swept.Processes++
			}
		}
	}
	if len(dirs) > 0 {
		swept.Processes += killMarked(dirs)
	}
	end := time.Now().Add(sweepTime)
	for dir := range dirs {
		if err := remove(dir, end); err != nil {
			log.Warn("directory of a plugin cannot be removed", "dir", dir, "err", clean([]byte(err.Error()), maxValue))
			continue
		}
		swept.Dirs++
	}
	return swept, nil
}

package sdk

import (
	"os"
	"sync"
)

// outputs keeps the process's standard error. go-plugin puts pipes in the place of os.Stdout and os.Stderr and copies what comes out of them
// to the host: it blocks when nobody takes that, and loses what was written shortly before the end, which is what matters most.
type outputs struct {
	stderr *os.File
	once   sync.Once
	pipes  [2]*os.File // go-plugin's: they would close, which it logs, if nobody had them
}

// restore lets both outputs be the real standard error again. Standard output goes there too: its first line was the handshake, and the
// host logs both. It is called when go-plugin serves, before the plugin's own code runs.
func (o *outputs) restore() {
	o.once.Do(func() {
		o.pipes = [2]*os.File{os.Stdout, os.Stderr}
		os.Stdout, os.Stderr = o.stderr, o.stderr
	})
}

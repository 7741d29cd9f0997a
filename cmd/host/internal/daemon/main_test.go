package daemon

import (
	"fmt"
	"os"
	"testing"

	"github.com/discv5/host/cmd/host/internal/builtin"
)

// TestMain makes this program the bundled plugins too, as the host's own is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == builtin.Command {
		fmt.Fprintln(os.Stderr, builtin.Serve(os.Args[2:]))
		os.Exit(2)
	}
	os.Exit(m.Run())
}

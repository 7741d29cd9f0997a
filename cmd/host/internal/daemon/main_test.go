package daemon

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/discv5/host/cmd/host/internal/builtin"
	"github.com/discv5/host/sdk"
)

// slowCommand makes this program a talk plugin that takes its time.
const slowCommand = "__slow"

func slow(ctx context.Context, r *sdk.TalkRequest) ([]byte, error) {
	select {
	case <-time.After(600 * time.Millisecond):
		return r.Payload, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TestMain makes this program the bundled plugins too, as the host's own is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == slowCommand {
		sdk.Serve(&sdk.TalkPlugin{Info: sdk.Info{Name: "slow", Version: "1.0.0"}, Protocols: []string{"slow"}, Handler: sdk.TalkFunc(slow)})
	}
	if len(os.Args) > 1 && os.Args[1] == builtin.Command {
		fmt.Fprintln(os.Stderr, builtin.Serve(os.Args[2:]))
		os.Exit(2)
	}
	os.Exit(m.Run())
}

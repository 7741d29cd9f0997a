//go:build unix

package keyfile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/discv5/host/cmd/host/internal/hint"
)

// pipe is a pipe with text in it, closed or open, and the path of its reading end.
func pipe(t *testing.T, text string, closed bool) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	fmt.Fprint(w, text)
	if closed {
		w.Close()
	}
	return fmt.Sprintf("/dev/fd/%d", r.Fd())
}

// A secret store may hand the key over a pipe.
func TestLoadFromAPipe(t *testing.T) {
	key, err := Load(t.Context(), pipe(t, goodKey+"\n", true))
	if err != nil || string(Format(key)) != goodKey+"\n" {
		t.Errorf("the key changed on its way through the pipe: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Load(ctx, pipe(t, goodKey, false)); !errors.Is(err, context.Canceled) || hint.Of(err) == "" {
		t.Errorf("a pipe that stays open until the end: %v (hint %q)", err, hint.Of(err))
	}
}

//go:build linux

package process

import (
	"context"
	"errors"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// A socket that somebody holds without a word bounds nothing: neither the start nor its end waits for it.
func TestHeldSocket(t *testing.T) {
	tests := []struct {
		mode string
		stop time.Duration // the start is cancelled; 0: it is not
		kind error
	}{
		{"held socket", 0, ErrEnded},
		{"held socket, it stays", 0, ErrConnect},
		{"held socket, it stays", 200 * time.Millisecond, context.Canceled},
	}
	for _, test := range tests {
		t.Run(test.mode, func(t *testing.T) {
			spec := specFor(t, test.mode)
			spec.StartTimeout = 2500 * time.Millisecond // with the race detector it takes a second to exit
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if test.stop > 0 {
				time.AfterFunc(test.stop, cancel)
			}
			ended := make(chan error, 1)
			go func() {
				p, err := Start(ctx, spec)
				if err == nil {
					p.Stop(0)
				}
				ended <- err
			}()
			select {
			case err := <-ended:
				var e *StartError
				if !errors.As(err, &e) || !errors.Is(err, test.kind) {
					t.Fatalf("start: %v, want %v", err, test.kind)
				}
				child, err := strconv.Atoi(e.Last[0])
				if err != nil {
					t.Fatal(err)
				}
				eventually(t, "the child is gone", func() bool { _, there := identify(child); return !there })
			case <-time.After(5 * time.Second):
				t.Fatal("the start does not end")
			}
			wantEmpty(t, spec.RunDir)
		})
	}
}

// A descendant that writes into the directory all the time does not keep it from being removed.
func TestDirectoryIsFilled(t *testing.T) {
	spec := specFor(t, "child fills the directory")
	p := mustStart(t, spec)
	eventually(t, "the child tells its number", func() bool { return len(p.LastLines()) > 0 })
	child, err := strconv.Atoi(p.LastLines()[0])
	if err != nil {
		t.Fatal(err)
	}
	stopped := make(chan struct{})
	go func() { p.Stop(100 * time.Millisecond); close(stopped) }()
	select {
	case <-stopped:
	case <-time.After(2 * time.Second):
		t.Error("stop does not end")
		_ = syscall.Kill(child, syscall.SIGKILL)
		<-stopped
	}
	if _, there := identify(child); there {
		t.Error("the child is still there")
	}
	wantEmpty(t, spec.RunDir)
}

package daemon

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/discv5/host/cmd/host/internal/hint"
)

// advise adds what to do to an error of core.Listen, and says once what net and core say one after the other.
func advise(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Addr != nil {
		if reason, ok := errors.AsType[syscall.Errno](op); ok {
			err = fmt.Errorf("listen on %v: %w", op.Addr, reason)
		}
	}
	switch {
	case errors.Is(err, errInUse):
		return hint.Wrap(err, "another program has this port; stop it, or choose another one with --listen (port 0: any free port)")
	case errors.Is(err, errDenied):
		return hint.Wrap(err, "this user may not open that port; choose one above 1023 with --listen")
	case errors.Is(err, errNotHere):
		return hint.Wrap(err, "this machine does not have that address; listen on one that it has, or on 0.0.0.0 and advertise the other with --advertise")
	case errors.Is(err, errNoFamily):
		return hint.Wrap(err, "this machine has no addresses of that family; leave it out of --listen")
	}
	return err
}

// adviseAdmin adds what to do to an error of admin.Listen.
func adviseAdmin(err error) error {
	switch {
	case hint.Of(err) != "":
	case errors.Is(err, errInUse):
		return hint.Wrap(err, "another program has that port; stop it, or choose another one with listen in the admin block")
	case errors.Is(err, errDenied):
		return hint.Wrap(err, "this user may not open it; choose a port above 1023 and a socket in a folder of its own, in the admin block")
	case errors.Is(err, errNotHere):
		return hint.Wrap(err, "this machine does not have that address; choose another one with listen in the admin block")
	}
	return err
}

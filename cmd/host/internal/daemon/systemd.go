package daemon

import (
	"fmt"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/hashicorp/go-hclog"
)

// service tells systemd how the host is, as sd_notify(3) says. Where nobody wants to know, all of it does nothing.
type service struct {
	log  hclog.Logger
	done chan struct{} // closed when the watchdog need not be fed any more; nil: there is none
}

// notify tells that the host is ready, and feeds the watchdog as long as the node answers: a node that hangs is restarted.
func notify(h *host, log hclog.Logger) *service {
	s := &service{log: log}
	s.say(daemon.SdNotifyReady + fmt.Sprintf("\nSTATUS=node %v", h.node.ID()))
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn("the watchdog of systemd is not fed", "err", err)
	}
	if every > 0 {
		s.done = make(chan struct{})
		go s.feed(every/2, h)
	}
	return s
}

// feed ends when the host does; while the node hangs it waits for it, and nobody waits for feed.
func (s *service) feed(every time.Duration, h *host) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		n, verified := h.node.Len() // waits for the node
		s.say(daemon.SdNotifyWatchdog + fmt.Sprintf("\nSTATUS=node %v, knows %d nodes, %d verified", h.node.ID(), n, verified))
		select {
		case <-tick.C:
		case <-s.done:
			return
		}
	}
}

// stopping tells that the host ends.
func (s *service) stopping() {
	if s.done != nil {
		close(s.done)
	}
	s.say(daemon.SdNotifyStopping)
}

// notifyReloading tells that a reload begins; the function it returns tells that it is over.
func notifyReloading() (done func()) {
	s := service{log: hclog.NewNullLogger()}
	s.say(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
	return func() { s.say(daemon.SdNotifyReady) }
}

func (s *service) say(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		s.log.Warn("systemd cannot be told", "err", err)
	}
}

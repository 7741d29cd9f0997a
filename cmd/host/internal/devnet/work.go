package devnet

import (
	"context"
	"fmt"
	"time"

	"github.com/discv5/host/core"
	"github.com/discv5/host/plugins"
)

// atWork shows what the host's plugins have done meanwhile.
func (n *Network) atWork(ctx context.Context, host *core.Node, set *plugins.Set, d *display) {
	ctx, cancel := context.WithTimeout(ctx, answering)
	defer cancel()
	if err := set.Settle(ctx); err != nil {
		return
	}
	d.print("\nThe host's plugins, a process each:")
	for _, s := range set.Status() {
		what := s.Reason
		switch {
		case !s.State.Serves():
		case s.Kind == plugins.Talk:
			what = n.askHost(ctx, host)
		case s.Kind == plugins.Filter && s.Filter != nil:
			what = fmt.Sprintf("has decided about %d records", s.Filter.Decided)
		case s.Kind == plugins.Store:
			stats := host.StoreStats()
			what = fmt.Sprintf("remembers what the host knows: %d entries written, %d wait", stats.Written, stats.Waiting)
		}
		d.print("  %-12s %v, process %d; %s", s.ID, s.State, s.PID, what)
	}
}

// askHost has a plain node send a request to the host, which its plugin answers.
func (n *Network) askHost(ctx context.Context, host *core.Node) string {
	before := time.Now()
	answer, err := n.nodes[0].Talk(ctx, host.Self(), EchoProtocol, []byte("hello"))
	if err != nil {
		return fmt.Sprintf("node 1 asked it: %v", err)
	}
	return fmt.Sprintf("answered node 1 with %q in %v", answer, round(time.Since(before)))
}

package cli

import (
	"context"
	"strconv"
	"time"

	"github.com/discv5/host/core"
	"github.com/spf13/cobra"
)

// pingInfo is the answer to a PING.
type pingInfo struct {
	NodeID string  `json:"nodeId"`
	Addr   string  `json:"addr"`       // where it was asked
	RTT    float64 `json:"rttSeconds"` // without the handshake
	Seq    uint64  `json:"seq"`        // of its newest record
	SeenAs string  `json:"seenAs"`     // our address as the node sees it
}

func newPing() *cobra.Command {
	return asking(&cobra.Command{
		Use:   "ping ENR",
		Short: "Ask a node whether it is there",
		Long: `Ask a node whether it is there. It prints how long the answer took, the sequence number of the node's newest record, and
our address as the node sees it.

The first PING sets up a session; the time is that of a second one.`,
		Example: `  host ping enr:…
  host ping --json --timeout 2s enr:…`,
		Args: arguments(1, 1),
	}, func(c *client, args []string) error {
		peer, err := c.record(args[0])
		if err != nil {
			return err
		}
		return c.ask(peer, func(ctx context.Context, node *core.Node) error {
			pong, err := node.Ping(ctx, peer)
			if err != nil {
				return err
			}
			if again, err := node.Ping(ctx, peer); err == nil {
				pong = again
			}
			at, _ := peer.UDPEndpoint()
			info := pingInfo{
				NodeID: programID(peer.ID()), Addr: at.String(), RTT: pong.RTT.Seconds(),
				Seq: pong.ENRSeq, SeenAs: pong.Recipient.String(),
			}
			if c.json {
				return printJSON(c.cmd.OutOrStdout(), info)
			}
			return printRows(c.cmd.OutOrStdout(), []row{
				{"node id", peer.ID().String()}, {"address", info.Addr}, {"rtt", round(pong.RTT).String()},
				{"seq", strconv.FormatUint(info.Seq, 10)}, {"we are seen as", info.SeenAs},
			})
		})
	})
}

// round makes a duration readable: three digits are enough.
func round(d time.Duration) time.Duration {
	for unit := time.Duration(1); ; unit *= 10 {
		if d < 1000*unit {
			return d.Round(unit)
		}
	}
}

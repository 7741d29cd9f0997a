package cli

import (
	"context"
	"fmt"
	"strconv"

	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/codec"
	"github.com/discv5/host/core"
	"github.com/spf13/cobra"
)

func newFindnode() *cobra.Command {
	return asking(&cobra.Command{
		Use:   "findnode ENR DISTANCE…",
		Short: "Ask a node whom it knows at distances from itself",
		Long: `Ask a node which nodes it knows at the given distances from itself, 0 to 256, and print their records, one a line. Half of all
nodes are at distance 256, a quarter at 255, and so on; 0 is the node itself.

A node answers with at most 16 records. To know none is an answer too.`,
		Example: `  host findnode enr:… 256 255
  host findnode enr:… 0`,
		Args: arguments(2, 1+codec.MaxDistance+1),
	}, func(c *client, args []string) error {
		peer, err := c.record(args[0])
		if err != nil {
			return err
		}
		distances := make([]uint, 0, len(args)-1)
		for _, text := range args[1:] {
			d, err := strconv.ParseUint(text, 10, 32)
			if err != nil || d > codec.MaxDistance {
				return usage(c.cmd, hint.New(fmt.Sprintf("%q is not a distance", text), fmt.Sprintf("distances are numbers from 0 to %d", codec.MaxDistance)))
			}
			distances = append(distances, uint(d))
		}
		return c.ask(peer, func(ctx context.Context, node *core.Node) error {
			nodes, err := node.FindNode(ctx, peer, distances)
			if err != nil {
				return err
			}
			if len(nodes) == 0 {
				c.note("the node answered that it knows nobody there")
			}
			return c.printNodes(nodes)
		})
	})
}

package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/core"
	"github.com/discv5/host/sdk/expr"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/spf13/cobra"
)

// patienceShare is the part of the time of a lookup that one silent node may take.
const patienceShare = 4

func newLookup() *cobra.Command {
	var filter string
	cmd := asking(&cobra.Command{
		Use:   "lookup ID",
		Short: "Find the nodes closest to an id",
		Long: `Find the nodes closest to an id, 64 hex digits, and print their records, the closest first: at most 16, one a line.

The search starts at the nodes of --bootnode and --network.`,
		Example: `  host lookup --network mainnet 97209eae44c2d45dce2f9d949f33105891c0694a7d1f5f1783c43adce3a3f82e`,
		Args:    arguments(1, 1),
	}, func(c *client, args []string) error {
		id, err := c.id(args[0])
		if err != nil {
			return err
		}
		var options []core.LookupOption
		if filter != "" {
			program, err := expr.Compile(filter)
			if err != nil {
				return usage(c.cmd, hint.Wrap(fmt.Errorf("--filter: %w", err), aboutExpressions))
			}
			if program.UsesDistance() {
				return usage(c.cmd, noDistance())
			}
			options = append(options, core.Matching(program.Match))
		}
		return c.search(nil, func(ctx context.Context, node *core.Node, _ int) error {
			found, err := node.Lookup(ctx, id, options...)
			if err != nil {
				return err
			}
			if answered, _ := node.Len(); len(found) == 0 && (filter == "" || answered == 0) {
				return core.ErrTimeout // whoever answers is itself found
			}
			return c.printNodes(found)
		})
	})
	cmd.Flags().StringVar(&filter, "filter", "", "find nodes whose records match this `expression`, see host filter; the others only show the way")
	return cmd
}

func newResolve() *cobra.Command {
	return asking(&cobra.Command{
		Use:   "resolve ID|ENR",
		Short: "Find the newest record of a node",
		Long: `Find the newest record of a node and print it. The node is named by its id, 64 hex digits, or by a record of it that may be old.

With a record the node itself is asked first. If it does not answer there, or for an id alone, it is looked up from the nodes of
--bootnode and --network.`,
		Example: `  host resolve enr:…
  host resolve --network mainnet 97209eae44c2d45dce2f9d949f33105891c0694a7d1f5f1783c43adce3a3f82e`,
		Args: arguments(1, 1),
	}, func(c *client, args []string) error {
		if strings.HasPrefix(args[0], "enr:") {
			known, err := c.record(args[0])
			if err != nil {
				return err
			}
			return c.resolve(known.ID(), known)
		}
		id, err := c.id(args[0])
		if err != nil {
			return err
		}
		return c.resolve(id, nil)
	})
}

// id reads a node id argument.
func (c *client) id(text string) (enode.ID, error) {
	id, err := enode.ParseID(text)
	if err == nil {
		return id, nil
	}
	if known, err := c.record(text); err == nil {
		return enode.ID{}, usage(c.cmd, hint.New("that is a record, and an id is wanted", "its id is "+known.ID().String()))
	}
	return enode.ID{}, usage(c.cmd, hint.New(fmt.Sprintf("%q is not a node id", text), "an id has 64 hex digits; host enr TEXT shows the one of a record"))
}

// search opens a node that knows the bootnodes, and asks the network. known may name one node more that is asked.
func (c *client) search(known *enode.Node, question func(ctx context.Context, node *core.Node, bootnodes int) error) error {
	bootnodes, err := c.entries()
	if err != nil {
		return err
	}
	peers, blame, response := bootnodes, (*enode.Node)(nil), c.timeout/patienceShare
	if known != nil {
		peers = append([]*enode.Node{known}, bootnodes...)
	}
	switch {
	case len(peers) == 0:
		return usage(c.cmd, hint.New("nowhere to start the search", "name a node with --bootnode enr:…, or a network with --network mainnet"))
	case len(bootnodes) == 0:
		blame, response = known, c.timeout // it is the only one to wait for
	}
	node, err := c.open(peers, bootnodes, response)
	if err != nil {
		return err
	}
	defer node.Close()
	ctx, cancel := context.WithTimeout(c.cmd.Context(), c.timeout)
	defer cancel()
	return c.explain(question(ctx, node, len(bootnodes)), blame)
}

// resolve finds the newest record of a node; known is nil or a record of it.
func (c *client) resolve(id enode.ID, known *enode.Node) error {
	return c.search(known, func(ctx context.Context, node *core.Node, bootnodes int) error {
		var answers []*enode.Node
		var err error
		if known != nil {
			answers, err = node.FindNode(ctx, known, []uint{0})
		}
		if len(answers) == 0 && bootnodes > 0 {
			if answers, err = node.Lookup(ctx, id); len(answers) > 0 && answers[0].ID() != id {
				answers = nil
			}
		}
		switch {
		case err == nil && len(answers) == 0:
			return hint.Wrap(fmt.Errorf("no record of node %s found", id.TerminalString()), "the node may be off, or in another network; try more bootnodes or another --network")
		case err != nil:
			return err
		}
		found := answers[0]
		if known != nil && known.Seq() > found.Seq() {
			found = known
		}
		if c.json {
			return printJSON(c.cmd.OutOrStdout(), describe(found))
		}
		_, err = fmt.Fprintln(c.cmd.OutOrStdout(), found)
		return err
	})
}

// noDistance says why an expression is of no use to a command whose node is new each time.
func noDistance() error {
	return hint.New("--filter: node.distance counts from a node that this command makes anew each time", "host nodes --filter counts from a running host, host filter test --self from any id")
}

package cli

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/discv5/host/cmd/host/internal/admin"
	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/spf13/cobra"
)

const nodesPage = 1000

func newNodes() *cobra.Command {
	var (
		filter   string
		limit    int
		verified bool
	)
	cmd := operating(&cobra.Command{
		Use:   "nodes",
		Short: "List the nodes that a running host knows",
		Long: `List the nodes in the table of a running host that its filters let out, in the order of their ids. --filter takes an expression like
that of the bundled filter, builtin:expr; only nodes that it accepts are listed. sdk/expr/README.md describes the language.`,
		Example: `  host nodes --verified --limit 20
  host nodes --filter 'enr.has("eth2") && ip.is_global'
  host nodes --filter 'fork("mainnet").accepts(enr)'
  host nodes --json | jq -r '.nodes[].enr'`,
		Args: arguments(0, 0),
	}, func(r *remote, _ []string) error {
		if limit < 0 {
			return usage(r.cmd, hint.New(fmt.Sprintf("--limit %d is out of range", limit), "use a number from 1, or 0 for all"))
		}
		all := admin.NodesView{Nodes: []admin.PeerView{}}
		for {
			query := url.Values{"limit": {strconv.Itoa(nodesPage)}, "verified": {strconv.FormatBool(verified)}, "filter": {filter}, "after": {all.Next}}
			if limit > 0 {
				query.Set("limit", strconv.Itoa(min(nodesPage, limit-len(all.Nodes))))
			}
			var page admin.NodesView
			if err := r.get("/v1/nodes?"+query.Encode(), &page); err != nil {
				return inExpression(err)
			}
			all.Nodes, all.Next = append(all.Nodes, page.Nodes...), page.Next
			if all.Next == "" || limit > 0 && len(all.Nodes) >= limit {
				break
			}
		}
		return r.printed(all, func() error { return printPeers(r, all.Nodes) })
	})
	fs := cmd.Flags()
	fs.StringVar(&filter, "filter", "", "only nodes that this `expression` accepts")
	fs.IntVar(&limit, "limit", 0, "`count` of nodes to list, 0 for all")
	fs.BoolVar(&verified, "verified", false, "only nodes that answer")
	return cmd
}

// inExpression adds advice to a mistake in the filter, if it has none of its own.
func inExpression(err error) error {
	if e, ok := errors.AsType[*admin.Error](err); ok && e.Code == admin.CodeInvalidParams && strings.HasPrefix(e.Message, "filter: ") && hint.Of(err) == "" {
		return hint.Wrap(err, aboutExpressions)
	}
	return err
}

func printPeers(r *remote, nodes []admin.PeerView) error {
	s := newSheet("NODE", "ADDRESS", "SEQ", "ANSWERS", "RTT", "SEEN", "ADDED")
	for _, n := range nodes {
		answers, rtt := "no", "-"
		if n.Verified {
			answers = "yes"
		}
		if n.RTT > 0 {
			rtt = round(time.Duration(n.RTT * float64(time.Second))).String()
		}
		s.add(peopleID(n.NodeID), n.Addr.String(), strconv.FormatUint(n.Seq, 10), answers, rtt, ago(n.LastSeen), ago(n.Added))
	}
	return s.print(r.cmd.OutOrStdout(), "no nodes")
}

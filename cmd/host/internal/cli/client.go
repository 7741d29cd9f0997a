package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/discv5/host/cmd/host/internal/config"
	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/cmd/host/internal/networks"
	"github.com/discv5/host/codec"
	"github.com/discv5/host/core"
	"github.com/discv5/host/sdk/fields"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/spf13/cobra"
)

const defaultTimeout = 5 * time.Second

// client is what the commands share that ask the network a question: each does so as a node of its own that lives as long
// as the command.
type client struct {
	cmd *cobra.Command

	// flags
	listen    []string
	bootnodes []string
	network   string
	protocol  string
	timeout   time.Duration
	json      bool
}

// asking makes cmd a command that asks: it gets the flags, and its work is run.
func asking(cmd *cobra.Command, run func(c *client, args []string) error) *cobra.Command {
	c := &client{cmd: cmd}
	c.joining()
	fs := cmd.Flags()
	fs.DurationVar(&c.timeout, "timeout", defaultTimeout, "how long to wait in all")
	fs.BoolVar(&c.json, "json", false, "print JSON")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if c.timeout <= 0 {
			return usage(cmd, hint.New(fmt.Sprintf("--timeout %v leaves no time", c.timeout), "write a duration like 5s"))
		}
		return run(c, args)
	}
	return cmd
}

// joining adds the flags that say how to join a network.
func (c *client) joining() {
	fs := c.cmd.Flags()
	fs.StringArrayVar(&c.listen, "listen", nil, "UDP address, `ip:port`, to ask from; may be repeated (default: a free port, on loopback for a loopback target)")
	fs.StringArrayVar(&c.bootnodes, "bootnode", nil, "record, `enr`, of a node to join by; may be repeated")
	fs.StringVar(&c.network, "network", networks.None, "`name` of a network to join by its published bootnodes: none, mainnet, sepolia or hoodi")
	fs.StringVar(&c.protocol, "protocol-id", string(codec.DefaultProtocolID[:]), "protocol id in packet headers, a `text` of 6 bytes; a private network may use one of its own")
}

// record reads a record argument.
func (c *client) record(text string) (*enode.Node, error) {
	node, err := fields.Parse(text)
	if err != nil {
		return nil, usage(c.cmd, hint.Wrap(fmt.Errorf("not a node record: %w", err), "a record is one word that begins with enr:, copied whole; host enr TEXT explains one"))
	}
	return node, nil
}

// entries returns the bootnodes that the flags name.
func (c *client) entries() ([]*enode.Node, error) {
	nodes, err := networks.Bootnodes(c.network)
	if err != nil {
		return nil, usage(c.cmd, err)
	}
	for _, text := range c.bootnodes {
		node, err := c.record(text)
		if err != nil {
			return nil, fmt.Errorf("--bootnode: %w", err)
		}
		nodes = append(nodes, node)
	}
	return nodes, nil
}

// open starts the node of the command. peers are whom it will ask first; they say where to listen. response is how long
// a single answer may take. adjust may change what else the node is.
func (c *client) open(peers, bootnodes []*enode.Node, response time.Duration, adjust ...func(*core.Config)) (*core.Node, error) {
	key, err := crypto.GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	var protocol config.ProtocolID
	if err := protocol.UnmarshalText([]byte(c.protocol)); err != nil {
		return nil, usage(c.cmd, hint.Wrap(fmt.Errorf("--protocol-id: %w", err), hint.Of(err)))
	}
	cfg := core.Config{
		PrivateKey: key, NewKey: true, NoRefresh: true, Workers: 1, Bootnodes: bootnodes, ResponseTimeout: response,
		ProtocolID: codec.ProtocolID([]byte(protocol)),
	}
	for _, text := range c.listen {
		at, err := netip.ParseAddrPort(text)
		if err != nil {
			return nil, usage(c.cmd, hint.New(fmt.Sprintf("--listen %q is not ip:port", text), `write an IP address and a port, like "0.0.0.0:0"`))
		}
		cfg.Listen = append(cfg.Listen, at)
	}
	if len(cfg.Listen) == 0 {
		cfg.Listen = listenFor(peers)
	}
	for _, change := range adjust {
		change(&cfg)
	}
	if err := cfg.Validate(); err != nil {
		return nil, usage(c.cmd, err)
	}
	node, err := core.Listen(cfg)
	if err != nil {
		return nil, hint.Wrap(err, "choose another address with --listen; port 0 takes a free one")
	}
	return node, nil
}

// listenFor chooses addresses from which peers can be reached: of IPv4 if one has such an address, of IPv6 if one has no
// other. If all are on this machine, so is the address: then it stands in the record and they can answer at once.
func listenFor(peers []*enode.Node) []netip.AddrPort {
	need4, need6, outside := false, false, false
	for _, p := range peers {
		e := fields.LoadEndpoints(p)
		at, ok := e.V4.UDPAddr()
		if ok {
			need4 = true
		} else if at, ok = e.V6.UDPAddr(); ok {
			need6 = true
		}
		outside = outside || !at.Addr().IsLoopback()
	}
	ip4, ip6 := netip.IPv4Unspecified(), netip.IPv6Unspecified()
	if !outside && (need4 || need6) {
		ip4, ip6 = netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()
	}
	var addrs []netip.AddrPort
	if need4 || !need6 {
		addrs = append(addrs, netip.AddrPortFrom(ip4, 0))
	}
	if need6 {
		addrs = append(addrs, netip.AddrPortFrom(ip6, 0))
	}
	return addrs
}

// ask opens a node, asks one peer a question and closes the node.
func (c *client) ask(peer *enode.Node, question func(ctx context.Context, node *core.Node) error) error {
	bootnodes, err := c.entries()
	if err != nil {
		return err
	}
	node, err := c.open([]*enode.Node{peer}, bootnodes, c.timeout)
	if err != nil {
		return err
	}
	defer node.Close()
	ctx, cancel := context.WithTimeout(c.cmd.Context(), c.timeout)
	defer cancel()
	return c.explain(question(ctx, node), peer)
}

// explain adds to an error of a question who was asked and what to do. peer is nil for a question to the network.
func (c *client) explain(err error, peer *enode.Node) error {
	who, advice := "the network", "none of the bootnodes answered; try others, or more time with --timeout"
	if peer != nil {
		who = "node " + peer.ID().TerminalString()
		if at, ok := peer.UDPEndpoint(); ok {
			who += " at " + at.String()
		}
		advice = "the node may be off, behind a firewall, or its record old; host resolve ENR --network NAME finds its newest record"
		if at, ok := peer.UDPEndpoint(); ok && at.Addr().IsLoopback() {
			advice = "the record is of a node on this machine: is it running, and is the record the one it printed last?"
		}
		if peer != nil && c.protocol != string(codec.DefaultProtocolID[:]) {
			advice = fmt.Sprintf("does the node use the protocol id %q? If so: %s", c.protocol, advice)
		}
	}
	switch {
	case err == nil:
		return nil
	case hint.Of(err) != "":
		return err // the question knows better
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted")
	case peer == nil && errors.Is(err, context.DeadlineExceeded):
		return hint.New(fmt.Sprintf("the search did not end within %v", c.timeout), "give it more time with --timeout")
	case errors.Is(err, core.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		return hint.Wrap(fmt.Errorf("no answer from %s within %v", who, c.timeout), advice)
	case errors.Is(err, core.ErrNoAddress):
		return hint.Wrap(fmt.Errorf("no way to %s: its record has no UDP address of a family that is listened on", who),
			"host enr TEXT shows the addresses in a record; --listen chooses a family")
	case errors.Is(err, core.ErrInvalidResponse):
		return hint.Wrap(fmt.Errorf("%s: %w", who, err), "the node does not follow the protocol; there is nothing to do here")
	}
	return fmt.Errorf("ask %s: %w", who, err)
}

// note tells something on stderr that is no error.
func (c *client) note(text string) { fmt.Fprintln(c.cmd.ErrOrStderr(), "note:", text) }

// recordInfo is a record in JSON.
type recordInfo struct {
	NodeID string `json:"nodeId"`
	ENR    string `json:"enr"`
	Seq    uint64 `json:"seq"`
	Addr   string `json:"addr,omitempty"` // UDP
}

func describe(n *enode.Node) recordInfo {
	info := recordInfo{NodeID: programID(n.ID()), ENR: n.String(), Seq: n.Seq()}
	if at, ok := n.UDPEndpoint(); ok {
		info.Addr = at.String()
	}
	return info
}

// printNodes prints one record a line, or a JSON list.
func (c *client) printNodes(nodes []*enode.Node) error {
	out := c.cmd.OutOrStdout()
	if c.json {
		list := make([]recordInfo, len(nodes)) // not nil: no nodes are []
		for i, n := range nodes {
			list[i] = describe(n)
		}
		return printJSON(out, list)
	}
	var b strings.Builder
	for _, n := range nodes {
		b.WriteString(n.String())
		b.WriteByte('\n')
	}
	_, err := io.WriteString(out, b.String())
	return err
}

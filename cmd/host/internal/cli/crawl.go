package cli

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/discv5/host/cmd/host/internal/crawl"
	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/cmd/host/internal/keyfile"
	"github.com/discv5/host/core"
	"github.com/discv5/host/sdk/expr"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/spf13/cobra"
)

// Defaults and bounds of a crawl.
const (
	crawlRate     = 300
	crawlParallel = 300
	crawlTimeout  = 2 * time.Second
	crawlMaxAge   = time.Hour
	crawlNodes    = 1_000_000
	mostRate      = 20_000
	mostParallel  = 8192
	crawlSessions = 16_384
	crawlWorkers  = 0 // one per core: a crawl is handshakes above all
)

// crawling is a crawl from the command line.
type crawling struct {
	client
	rate     float64
	parallel int
	maxNodes int
	limit    time.Duration
	maxAge   time.Duration
	format   string
	out      string
	summary  string
	state    string
	keyFile  string
	filter   string
	match    func(*enode.Node) bool // nil: all
}

func newCrawl() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "crawl",
		Short: "Walk the whole network and list its nodes",
		Long: `Walk the whole network and list its nodes, those that answer and those that others only tell of: one line each, sorted by id, when
the crawl is over. Every node that answers is asked for everybody it knows.

The crawl ends by itself when nobody is left to be asked. --for or an interrupt end it earlier; the summary says so, what was found is
printed, and the exit status is 0.

With --state the crawl can be resumed, whatever ended it: a second run with the same file goes on. It does not ask again who was
asked within --max-age, so a run after that is a new crawl that remembers when each node was first and last seen.

--filter chooses which nodes are listed and counted, by an expression over the record. It does not choose whom the crawl asks: every
node shows the way to others.

The summary goes to stderr: nodes by network (what their records say they take part in), fork, client, address family and field.`,
		Example: `  host crawl --network mainnet > nodes.jsonl
  host crawl --network mainnet --filter 'fork("mainnet").accepts(enr) && enr.cgc >= 128' > supernodes.jsonl
  host crawl --network mainnet --format csv --out nodes.csv --summary summary.json
  host crawl --network mainnet --state crawl.state --for 10m --out nodes.jsonl`,
		Args: arguments(0, 0),
	}
	c := &crawling{client: client{cmd: cmd}}
	c.joining()
	fs := cmd.Flags()
	fs.DurationVar(&c.timeout, "timeout", crawlTimeout, "how long to wait for each answer")
	fs.Float64Var(&c.rate, "rate", crawlRate, fmt.Sprintf("most `requests` to send a second, up to %d", mostRate))
	fs.IntVar(&c.parallel, "parallel", crawlParallel, fmt.Sprintf("most `requests` in flight, 1 to %d", mostParallel))
	fs.IntVar(&c.maxNodes, "max-nodes", crawlNodes, "most `nodes` to know of, at about 600 bytes of memory each")
	fs.DurationVar(&c.limit, "for", 0, "stop after this time (default: when nobody is left)")
	fs.StringVar(&c.state, "state", "", "`file` to keep the crawl in, and to resume it from")
	fs.DurationVar(&c.maxAge, "max-age", crawlMaxAge, "with --state: ask nobody again who was asked within this time")
	fs.StringVar(&c.keyFile, "key-file", "", "`file` with the private key to crawl with (default: a new one)")
	fs.StringVar(&c.filter, "filter", "", "`expression` that a record must fulfil to be listed and counted, such as 'enr.has(\"eth2\")'")
	fs.StringVar(&c.format, "format", crawl.Formats[0], "`form` of the results: "+strings.Join(crawl.Formats, " or "))
	fs.StringVar(&c.out, "out", "", "`file` for the results (default: stdout)")
	fs.StringVar(&c.summary, "summary", "", "`file` for the summary as JSON, beside the one on stderr")
	cmd.RunE = func(*cobra.Command, []string) error { return c.run() }
	return cmd
}

// check finds mistakes in the flags.
func (c *crawling) check() error {
	bad := func(what, advice string) error { return usage(c.cmd, hint.New(what, advice)) }
	switch {
	case c.timeout <= 0:
		return bad(fmt.Sprintf("--timeout %v leaves no time", c.timeout), "write a duration like 2s")
	case !(c.rate > 0 && c.rate <= mostRate):
		return bad(fmt.Sprintf("--rate %v is out of range", c.rate), fmt.Sprintf("use a number of requests a second above 0, up to %d", mostRate))
	case c.parallel < 1 || c.parallel > mostParallel:
		return bad(fmt.Sprintf("--parallel %d is out of range", c.parallel), fmt.Sprintf("use a number from 1 to %d", mostParallel))
	case c.maxNodes < 1:
		return bad(fmt.Sprintf("--max-nodes %d is out of range", c.maxNodes), "use a number above 0; each node takes about 600 bytes of memory")
	case c.limit < 0 || c.limit == 0 && c.cmd.Flags().Changed("for"):
		return bad(fmt.Sprintf("--for %v leaves no time", c.limit), "write a duration like 10m, or leave the flag out")
	case c.maxAge < 0:
		return bad(fmt.Sprintf("--max-age %v is negative", c.maxAge), "write a duration like 1h; with 0s everybody is asked again")
	case c.cmd.Flags().Changed("max-age") && c.state == "":
		return bad("--max-age without --state has no use", "name the file of an earlier crawl with --state")
	case !slices.Contains(crawl.Formats, c.format):
		return bad(fmt.Sprintf("--format %q is unknown", c.format), "use "+strings.Join(crawl.Formats, " or "))
	}
	if c.cmd.Flags().Changed("filter") {
		program, err := expr.Compile(c.filter)
		if err != nil {
			return usage(c.cmd, hint.Wrap(fmt.Errorf("--filter: %w", err), "an expression is like enr.has(\"eth2\") && fork(\"mainnet\").accepts(enr); sdk/expr/README.md lists what there is"))
		}
		if program.UsesDistance() {
			return usage(c.cmd, noDistance())
		}
		c.match = program.Match
	}
	return c.checkFiles()
}

// checkFiles finds files that are named twice.
func (c *crawling) checkFiles() error {
	files := map[string]string{}
	for _, f := range []struct{ flag, path string }{{"--out", c.out}, {"--summary", c.summary}, {"--state", c.state}, {"--key-file", c.keyFile}} {
		if other, taken := files[f.path]; taken && f.path != "" {
			return usage(c.cmd, hint.New(fmt.Sprintf("%s and %s name the same file", other, f.flag), "give each a file of its own"))
		}
		files[f.path] = f.flag
	}
	return nil
}

func (c *crawling) run() (err error) {
	if err := c.check(); err != nil {
		return err
	}
	bootnodes, err := c.entries()
	if err != nil {
		return err
	}
	var key *ecdsa.PrivateKey
	if c.keyFile != "" {
		if key, err = keyfile.Load(c.cmd.Context(), c.keyFile); err != nil {
			return err
		}
	}
	var state *crawl.State
	var saved []crawl.Saved
	if c.state != "" {
		if state, saved, err = crawl.OpenState(c.state, time.Now(), c.maxAge); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, state.Close()) }()
	}
	if len(bootnodes)+len(saved) == 0 {
		return usage(c.cmd, hint.New("nowhere to start the crawl", "name a node with --bootnode enr:…, or a network with --network mainnet"))
	}
	results, err := c.createFile("--out", c.out, c.cmd.OutOrStdout())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, results.abandon()) }()
	summaryFile, err := c.createFile("--summary", c.summary, io.Discard)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, summaryFile.abandon()) }()

	node, err := c.open(append(slices.Clip(bootnodes), crawl.Nodes(saved)...), bootnodes, c.timeout, func(cfg *core.Config) {
		cfg.Workers, cfg.Sessions, cfg.BanInvalid = crawlWorkers, crawlSessions, -1
		if key != nil {
			cfg.PrivateKey = key
		}
		if len(c.listen) == 0 {
			cfg.Listen = everywhere(cfg.Listen, wayByIPv6)
		}
	})
	if err != nil {
		return err
	}
	defer node.Close()
	machine := crawl.NewMachine(c.machine(node))
	if err := machine.Restore(time.Now(), c.maxAge, saved); err != nil {
		return hint.Wrap(fmt.Errorf("state %s: %w", c.state, err), "nothing was changed; raise --max-nodes, or give --state another file")
	}
	for _, b := range bootnodes {
		machine.Add(time.Now(), b)
	}
	return c.walk(machine, node, state, results, summaryFile)
}

// everywhere chooses the addresses to listen on, given those that reach the first nodes: unspecified ones, which do not get into
// our record, so that nobody can hand out a node that is gone in a minute. A crawl of more than this machine takes both families
// if there is a way out by IPv6.
func everywhere(listen []netip.AddrPort, way6 func() bool) []netip.AddrPort {
	var all []netip.AddrPort
	local, has6 := false, false
	for _, at := range listen {
		local = local || at.Addr().IsLoopback()
		has6 = has6 || at.Addr().Is6()
		ip := netip.IPv6Unspecified()
		if at.Addr().Is4() {
			ip = netip.IPv4Unspecified()
		}
		all = append(all, netip.AddrPortFrom(ip, at.Port()))
	}
	if !local && !has6 && way6() {
		all = append(all, netip.AddrPortFrom(netip.IPv6Unspecified(), 0))
	}
	return all
}

// publicIPv6 is an address that is on the Internet if anything is; nothing is sent there.
const publicIPv6 = "[2000::1]:9"

// wayByIPv6 reports whether this machine knows a way to the Internet by IPv6.
func wayByIPv6() bool {
	conn, err := net.Dial("udp6", publicIPv6)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

func (c *crawling) machine(node *core.Node) crawl.MachineConfig {
	cfg := crawl.MachineConfig{Self: node.ID(), Rate: c.rate, Parallel: c.parallel, MaxNodes: c.maxNodes}
	for _, at := range node.LocalAddrs() {
		cfg.IPv4 = cfg.IPv4 || at.Addr().Is4()
		cfg.IPv6 = cfg.IPv6 || at.Addr().Is6()
	}
	return cfg
}

// walk crawls and writes what was found, also when it could not be kept.
func (c *crawling) walk(m *crawl.Machine, node *core.Node, state *crawl.State, results, summaryFile *resultFile) error {
	ctx := c.cmd.Context()
	if c.limit > 0 {
		limited, cancel := context.WithTimeout(ctx, c.limit)
		defer cancel()
		ctx = limited
	}
	show := newCrawlProgress(c.cmd.ErrOrStderr())
	started := time.Now()
	runner := crawl.Runner{Machine: m, Asker: node, State: state, Progress: show.show}
	end, failed := runner.Run(ctx)
	show.close()

	summary := crawl.NewSummary(end, started, time.Since(started), m.Counts())
	if err := crawl.Write(results, c.format, m.Results(c.match), summary.Count); err != nil {
		return errors.Join(failed, results.failure(err))
	}
	if err := results.commit(); err != nil {
		return errors.Join(failed, err)
	}
	enc := json.NewEncoder(summaryFile)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(summary); err != nil {
		return errors.Join(failed, summaryFile.failure(err))
	}
	if err := summaryFile.commit(); err != nil {
		return errors.Join(failed, err)
	}
	if err := summary.Print(c.cmd.ErrOrStderr()); err != nil {
		return errors.Join(failed, err)
	}
	if failed == nil {
		failed = c.nobody(summary)
	}
	return failed
}

// nobody is the error that nobody is alive, if that is what a crawl found.
func (c *crawling) nobody(s *crawl.Summary) error {
	switch {
	case s.Alive > 0 || s.End == crawl.Interrupted:
		return nil
	case s.Timeouts > 0:
		return hint.New(fmt.Sprintf("nobody answered: %s, and %v of time for each", count(s.Requests, "request"), c.timeout),
			"the nodes that the crawl starts from may be off, or their records old; try others, or more time with --timeout")
	case s.End != crawl.Complete:
		return nil // the time was over too soon to tell
	case s.Requests == 0:
		return hint.New("there was nobody to ask", "each node says why under error: one without an address has none of a family that is listened on, which --listen chooses; "+
			"one that was asked before is asked again with --max-age 0s")
	}
	return hint.New(fmt.Sprintf("nobody answered: %s", count(s.Requests, "request")), "each node says why under error")
}

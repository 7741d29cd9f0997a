package crawl

import (
	"bytes"
	"iter"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/discv5/host/sdk/fields"
	"github.com/discv5/host/sdk/forks"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
)

// Result is what a crawl found out about a node. Its texts are ASCII without control characters.
type Result struct {
	NodeID     string   `json:"nodeId"` // 0x and 64 hex digits
	ENR        string   `json:"enr"`    // the newest record
	IP         string   `json:"ip"`     // that answered; else the first one to ask; empty: none
	Port       uint16   `json:"port"`
	Family     string   `json:"family"`     // ipv4, ipv6, both (in the record) or none
	Alive      bool     `json:"alive"`      // it answered
	RTT        *float64 `json:"rttSeconds"` // the shortest, to the microsecond; null: none was measured
	FirstSeen  string   `json:"firstSeen"`
	LastSeen   string   `json:"lastSeen"` // answered last, in this crawl or before; empty: never
	Seq        uint64   `json:"seq"`
	ReportedBy uint32   `json:"reportedBy"` // nodes that told of it
	Client     string   `json:"client"`     // by its own word; empty: not told
	Network    string   `json:"network"`    // see NetworkOf
	ForkDigest string   `json:"forkDigest"` // see ForkOf
	Fields     []string `json:"fields"`     // keys of the record, sorted
	Error      string   `json:"error"`      // why it was not asked to the end; empty: it was
}

// Results returns the nodes that match, by id. A nil match takes all.
func (m *Machine) Results(match func(*enode.Node) bool) iter.Seq[Result] {
	order := make([]*entry, len(m.entries))
	copy(order, m.entries)
	slices.SortFunc(order, func(a, b *entry) int { return bytes.Compare(a.id[:], b.id[:]) })
	return func(yield func(Result) bool) {
		for _, e := range order {
			n, err := decode(e.record)
			if err != nil || match != nil && !match(n) {
				continue
			}
			if !yield(e.result(n)) {
				return
			}
		}
	}
}

// rfc3339 is a time in UTC to the millisecond, empty for the zero time.
func rfc3339(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

func (e *entry) result(n *enode.Node) Result {
	r := Result{
		NodeID: "0x" + e.id.String(), ENR: recordText(e.record), Family: "none", Alive: e.alive,
		FirstSeen: rfc3339(e.first), LastSeen: rfc3339(e.seen), Seq: e.seq, ReportedBy: e.reports,
		Client: ClientOf(n), Network: NetworkOf(n, e.first), ForkDigest: ForkOf(n), Fields: []string{}, Error: string(e.reason),
	}
	if e.phase != done {
		r.Error = string(NotAsked)
	}
	r.address(addresses(n), e)
	if e.rtt > 0 {
		s := float64(e.rtt.Microseconds()) / 1e6
		r.RTT = &s
	}
	for _, f := range fields.Describe(n.Record()) {
		r.Fields = append(r.Fields, f.Name())
	}
	return r
}

func (r *Result) address(addrs []netip.AddrPort, e *entry) {
	var at netip.AddrPort
	switch len(addrs) {
	case 0:
		return
	case 1:
		r.Family = "ipv6"
		if addrs[0].Addr().Is4() {
			r.Family = "ipv4"
		}
	default:
		r.Family = "both"
	}
	if at = addrs[0]; e.alive && e.addr.IsValid() {
		at = e.addr
	}
	r.IP, r.Port = at.Addr().String(), at.Port()
}

// scheduled names the network whose fork schedule knows the fork that a node says it is on, old and coming ones included.
func scheduled(n *enode.Node, now time.Time) string {
	var a forks.Announcement
	if v, err := fields.Load[fields.Eth](n); err == nil {
		a.Eth = &v.ForkID
	}
	if v, err := fields.Load[fields.Eth2](n); err == nil {
		a.Eth2 = &v
	}
	if a.Eth == nil && a.Eth2 == nil {
		return ""
	}
	all := forks.Default()
	for _, name := range all.Names() {
		network, _ := all.Network(name)
		if v := network.Accepts(a, now); v.Accepted || v.Reason != forks.ReasonNone && v.Reason != forks.ReasonForeign {
			return name
		}
	}
	return ""
}

// networkKeys tell by which key of a record its node takes part in what. The first that is there counts.
var networkKeys = []struct{ key, network string }{
	{"opstack", "opstack"}, {"opel", "opstack"}, {"p", "portal"}, {"waku2", "waku"}, {"rs", "waku"}, {"rsv", "waku"},
	{"aztec", "aztec"}, {"aztec_network", "aztec"}, {"ssv", "ssv"}, {"domaintype", "ssv"},
	{"eth2", "consensus"}, {"eth", "execution"},
}

// NetworkOf names what a node takes part in, by its record: mainnet, sepolia or hoodi by the fork; else, by its keys, opstack, portal,
// waku, aztec, ssv, consensus or execution; or unknown. The time is when the record was current.
func NetworkOf(n *enode.Node, now time.Time) string {
	if name := scheduled(n, now); name != "" {
		return name
	}
	for _, k := range networkKeys {
		if has(n, k.key) {
			return k.network
		}
	}
	return "unknown"
}

func has(n *enode.Node, key string) bool {
	var raw rlp.RawValue
	return n.Load(enr.WithEntry(key, &raw)) == nil
}

// ForkOf is the fork that a node says it is on: the digest of eth2, or the hash of eth or opel; 0x and 8 hex digits, or empty.
func ForkOf(n *enode.Node) string {
	if v, err := fields.Load[fields.Eth2](n); err == nil {
		return v.ForkDigest.String()
	}
	if v, err := fields.Load[fields.Eth](n); err == nil {
		return v.Hash.String()
	}
	if v, err := fields.Load[fields.OPEL](n); err == nil {
		return v.Hash.String()
	}
	return ""
}

// maxClient bounds the name of a client, which a stranger chose.
const maxClient = 32

// ClientOf is the software that a node says it runs, empty if it does not say. What is not a plain name is quoted.
func ClientOf(n *enode.Node) string {
	if v, err := fields.Load[fields.Client](n); err == nil {
		return plainName(v.Name)
	}
	if v, err := fields.Load[fields.ShortClient](n); err == nil {
		return plainName(string(v))
	}
	return ""
}

// plainName makes a stranger's text safe for terminals and tables: as it is if it consists of letters, digits, space and -._/ and begins
// with a letter or a digit, else quoted.
func plainName(s string) string {
	s = s[:min(len(s), maxClient)]
	for i, c := range []byte(s) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || !slices.Contains([]byte(" -._/"), c)) {
			return strconv.QuoteToASCII(s)
		}
	}
	return s
}

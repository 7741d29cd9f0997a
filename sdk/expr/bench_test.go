package expr

import (
	"testing"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// BenchmarkDecide evaluates expressions of a record that has what they read and of one that has not,
// in turn.
func BenchmarkDecide(b *testing.B) {
	beacon := nodeWith(b, "eth2=90 8c9f62fe07000000ffffffffffffffff", "cgc=08", "nfd=8400000000", "ip=84 03112233", "udp=822328", "tcp=822328", "attnets=88 0102000000000080", "syncnets=00")
	other := nodeWith(b, "opstack=820a00", "ip=84 0a112233", "udp=82765f", "tcp=82765f")
	nodes := [2]*enode.Node{beacon, other}
	for _, text := range []string{
		`true`,
		`enr.has("eth2")`,
		`enr.has("eth2") && enr.eth2.fork_digest in ["0x8c9f62fe", "0xcb0d1acc"]`,
		`enr.eth2.fork_digest == "0x8c9f62fe"`,
		`ip.in("10.0.0.0/8")`,
		`ip.in(["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"])`,
		`enr.attnets.any([3, 4])`,
		`enr.cgc >= 8`,
		`enr.opstack.chain_id == 10`,
		`fork("mainnet").accepts(enr)`,
		`enr.has("eth2") && fork("mainnet").accepts(enr) && !ip.in("10.0.0.0/8") && enr.cgc >= 8 && udp > 0`,
		`(enr.has("eth2") && enr.attnets.any([3, 4])) || enr.has("opstack")`,
		`enr.custodies(5)`,
		`enr.keys.exists(k, k == "eth2")`,
	} {
		p := compiled(b, text)
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				p.Match(nodes[i&1])
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		if _, err := Compile(`enr.has("eth2") && fork("mainnet").accepts(enr) && !ip.in("10.0.0.0/8") && enr.cgc >= 8`); err != nil {
			b.Fatal(err)
		}
	}
}

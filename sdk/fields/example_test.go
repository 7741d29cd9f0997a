package fields_test

import (
	"errors"
	"fmt"

	"github.com/discv5/host/sdk/fields"
)

// A filter that wants beacon nodes of one fork on attestation subnet 3, and an explanation of
// the record it was given.
func Example() {
	node, err := fields.Parse("enr:-Ku4QHqVeJ8PPICcWk1vSn_XcSkjOkNiTg6Fmii5j6vUQgvzMc9L1goFnLKgXqBJspJjIsB91LTOleFmyWWrFVATGngBh2F0dG5ldHOIAAAAAAAAAACEZXRoMpC1MD8qAAAAAP__________gmlkgnY0gmlwhAMRHkWJc2VjcDI1NmsxoQKLVXFOhp2uX6jeT0DvvDpPcU8FWMjQdR4wMuORMhpX24N1ZHCCIyg")
	if err != nil {
		fmt.Println(err)
		return
	}
	eth2, err := fields.Load[fields.Eth2](node)
	attnets, err2 := fields.Load[fields.Attnets](node)
	if err := errors.Join(err, err2); err != nil {
		fmt.Println("not a beacon node:", err)
		return
	}
	fmt.Println("fork:", eth2.ForkDigest == fields.Bytes4{0xb5, 0x30, 0x3f, 0x2a}, "subnet:", attnets.Has(3))

	_, err = fields.Load[fields.CGC](node)
	fmt.Println("no cgc:", errors.Is(err, fields.ErrAbsent))
	fmt.Println("custody:", fields.CustodyColumns(node.ID(), fields.CustodyRequirement))

	for _, f := range fields.Describe(node.Record()) {
		fmt.Println(f)
	}
	// Output:
	// fork: true subnet: false
	// no cgc: true
	// custody: [9 27 91 115]
	// attnets: none
	// eth2: digest 0xb5303f2a, no next fork
	// id: v4
	// ip: 3.17.30.69
	// secp256k1: 0x028b55714e869dae5fa8de4f40efbc3a4f714f0558c8d0751e3032e391321a57db
	// udp: 9000
}

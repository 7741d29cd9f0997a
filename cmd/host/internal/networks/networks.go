package networks

import (
	"embed"
	"fmt"
	"slices"
	"strings"

	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/params"
)

// None is the network without bootnodes.
const None = "none"

//go:embed records/*.txt
var recordFiles embed.FS

// published maps a network to the lists in params that hold records for it. The lists mix records with enode:// URLs of
// nodes that do not speak this protocol; those are skipped.
var published = map[string][][]string{
	"mainnet": {params.MainnetBootnodes, params.V5Bootnodes},
	"sepolia": {params.SepoliaBootnodes},
	"hoodi":   {params.HoodiBootnodes},
}

// Names lists what Bootnodes accepts, None first.
func Names() []string { return []string{None, "mainnet", "sepolia", "hoodi"} }

// Bootnodes returns the verified records to enter the named network with, each node once and in the version with the
// highest sequence number. None gives an empty list, an unknown name an error.
func Bootnodes(network string) ([]*enode.Node, error) {
	if network == None {
		return nil, nil
	}
	lists, ok := published[network]
	if !ok {
		return nil, hint.New(fmt.Sprintf("the network %q is unknown", network), "use one of "+strings.Join(Names(), ", "))
	}
	file, err := recordFiles.ReadFile("records/" + network + ".txt")
	if err != nil {
		return nil, err
	}
	var nodes []*enode.Node
	at := make(map[enode.ID]int)
	for _, text := range slices.Concat(slices.Concat(lists...), strings.Split(string(file), "\n")) {
		if !strings.HasPrefix(text, "enr:") {
			continue
		}
		n, err := enode.Parse(enode.ValidSchemes, text)
		if err != nil {
			return nil, fmt.Errorf("bootnode of %s: %w", network, err)
		}
		i, known := at[n.ID()]
		switch {
		case !known:
			at[n.ID()] = len(nodes)
			nodes = append(nodes, n)
		case n.Seq() > nodes[i].Seq():
			nodes[i] = n
		}
	}
	return nodes, nil
}

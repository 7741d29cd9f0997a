package daemon

import (
	"slices"

	"github.com/discv5/host/cmd/host/internal/config"
	"github.com/discv5/host/cmd/host/internal/networks"
	"github.com/discv5/host/codec"
	"github.com/discv5/host/core"
	"github.com/discv5/host/table"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/hashicorp/go-hclog"
)

// coreConfig is the operator's configuration in the terms of core.
func coreConfig(cfg *config.Config, id *identity, log hclog.Logger) (core.Config, error) {
	bootnodes, err := networks.Bootnodes(cfg.Network)
	if err != nil {
		return core.Config{}, err
	}
	c := core.Config{
		PrivateKey: id.key,
		Listen:     cfg.Listen,
		ProtocolID: codec.ProtocolID([]byte(cfg.ProtocolID)),

		RecordFile:   id.recordFile,
		NewKey:       id.fresh,
		NoAutoUpdate: !cfg.AutoUpdate,
		Bootnodes:    others(slices.Concat(cfg.Bootnodes, bootnodes), id, log),

		ResponseTimeout:  cfg.ResponseTimeout,
		ChallengeTimeout: cfg.ChallengeTimeout,
		Sessions:         cfg.SessionCache,
		Table: table.Config{
			BitsPerHop: cfg.Table.BitsPerHop,
			Limits: table.Limits{
				Bucket: cfg.Table.BucketIPLimit, Table: cfg.Table.TableIPLimit,
				PrefixV4: cfg.Table.IPv4Prefix, PrefixV6: cfg.Table.IPv6Prefix,
			},
		},
		Limits: coreLimits(cfg),
		Bans:   coreBans(cfg.Bans),
		Logger: log,
	}
	for _, at := range cfg.Advertise {
		c.Advertise = append(c.Advertise, at.AddrPort)
	}
	return c, nil
}

func coreLimits(cfg *config.Config) core.Limits {
	return core.Limits{
		Source:     core.Rate{PerSecond: float64(cfg.Limits.SourceRate), Burst: cfg.Limits.SourceBurst},
		Challenges: perSecond(cfg.Limits.Challenges),
		Handshakes: perSecond(cfg.Limits.Handshakes),
		Session:    perSecond(cfg.Limits.SessionRate),
	}
}

// others is the nodes without the host itself: a bootnode of a private network is often started with the list that all have.
func others(nodes []*enode.Node, id *identity, log hclog.Logger) []*enode.Node {
	self := enode.PubkeyToIDV4(&id.key.PublicKey)
	return slices.DeleteFunc(nodes, func(n *enode.Node) bool {
		if n.ID() == self {
			log.Warn("bootnode skipped, it is this node itself", "node", self)
		}
		return n.ID() == self
	})
}

// perSecond is a rate whose burst is what one second allows.
func perSecond(n int) core.Rate { return core.Rate{PerSecond: float64(n), Burst: n} }

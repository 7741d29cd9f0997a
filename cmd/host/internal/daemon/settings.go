package daemon

import (
	"github.com/discv5/host/cmd/host/internal/config"
	"github.com/discv5/host/cmd/host/internal/networks"
	"github.com/discv5/host/codec"
	"github.com/discv5/host/core"
	"github.com/discv5/host/table"
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
		NewKey:       id.created,
		NoAutoUpdate: !cfg.AutoUpdate,
		Bootnodes:    append(cfg.Bootnodes, bootnodes...),

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
		Limits: core.Limits{
			Source:     core.Rate{PerSecond: float64(cfg.Limits.SourceRate), Burst: cfg.Limits.SourceBurst},
			Challenges: perSecond(cfg.Limits.Challenges),
			Handshakes: perSecond(cfg.Limits.Handshakes),
			Session:    perSecond(cfg.Limits.SessionRate),
		},
		Logger: log,
	}
	for _, at := range cfg.Advertise {
		c.Advertise = append(c.Advertise, at.AddrPort)
	}
	return c, nil
}

// perSecond is a rate whose burst is what one second allows.
func perSecond(n int) core.Rate { return core.Rate{PerSecond: float64(n), Burst: n} }

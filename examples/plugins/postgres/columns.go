package main

import (
	"encoding/base64"
	"encoding/hex"
	"net/netip"
	"strings"
	"time"

	"github.com/discv5/host/sdk"
	"github.com/discv5/host/sdk/fields"
	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
	"google.golang.org/protobuf/proto"
)

// columns are what people can query of an entry. All are nil where the value is not what the key promises; what is stored is the value,
// whatever is in it.
type columns struct {
	node, ip, forkDigest, enr *string
	port, checks              *int32
	firstSeen, lastSeen       *time.Time
	rtt                       *float64 // milliseconds
}

func columnsOf(e sdk.Entry) columns {
	for prefix, of := range map[string]func(c *columns, value []byte) bool{"node/": ofNode, "seen/": ofContact} {
		id, ok := strings.CutPrefix(string(e.Key), prefix)
		if b, err := hex.DecodeString(id); !ok || err != nil || len(b) != len(enode.ID{}) {
			continue
		}
		c := columns{node: &id}
		if !of(&c, e.Value) {
			return columns{}
		}
		return c
	}
	return columns{}
}

// ofNode reads a record. Its signature is not checked: hosts do that when they read it.
func ofNode(c *columns, value []byte) bool {
	var m pluginpb.StoredNode
	var r enr.Record
	if proto.Unmarshal(value, &m) != nil || rlp.DecodeBytes(m.GetRecord(), &r) != nil {
		return false
	}
	c.enr = ptr("enr:" + base64.RawURLEncoding.EncodeToString(m.GetRecord()))
	at := fields.LoadEndpoints(&r)
	if addr, ok := at.V4.UDPAddr(); ok {
		c.at(addr)
	} else if addr, ok := at.V6.UDPAddr(); ok {
		c.at(addr)
	}
	if v, err := fields.Load[fields.Eth2](&r); err == nil {
		c.forkDigest = ptr(hex.EncodeToString(v.ForkDigest[:]))
	} else if v, err := fields.Load[fields.Eth](&r); err == nil {
		c.forkDigest = ptr(hex.EncodeToString(v.Hash[:]))
	}
	return true
}

func ofContact(c *columns, value []byte) bool {
	var m pluginpb.StoredContact
	if proto.Unmarshal(value, &m) != nil || m.GetSeenMs() == 0 {
		return false
	}
	if ip, ok := netip.AddrFromSlice(m.GetIp()); ok && m.GetPort() > 0 && m.GetPort() < 1<<16 {
		c.at(netip.AddrPortFrom(ip, uint16(m.GetPort())))
	}
	c.lastSeen = unixMilli(m.GetSeenMs())
	if m.GetFirstMs() != 0 {
		c.firstSeen = unixMilli(m.GetFirstMs())
	}
	if m.GetRttUs() != 0 {
		c.rtt = ptr(float64(m.GetRttUs()) / 1000)
	}
	c.checks = ptr(int32(min(m.GetChecks(), 1<<30)))
	return true
}

func (c *columns) at(addr netip.AddrPort) {
	c.ip, c.port = ptr(addr.Addr().Unmap().String()), ptr(int32(addr.Port()))
}

// maxMillis is the end of the year 9999.
const maxMillis = 253_402_300_799_000

func unixMilli(ms uint64) *time.Time { return ptr(time.UnixMilli(int64(min(ms, maxMillis)))) }

func ptr[T any](v T) *T { return &v }

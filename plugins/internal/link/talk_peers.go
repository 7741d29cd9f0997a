package link

import (
	"net/netip"

	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// maxPeers is how many peers have a number on a Talk stream: the size of the plugin's table.
const maxPeers = pluginpb.MaxPeers

// peerKey is a peer as sessions know it.
type peerKey struct {
	id   enode.ID
	addr netip.AddrPort
}

// peer is somebody with requests under way, or with a number on the stream.
type peer struct {
	key    peerKey
	open   int    // requests, queued ones and those included whose deadline has passed
	sent   int    // of them, those on the stream
	number int32  // on the stream; -1: none
	known  bool   // a record was told
	seq    uint64 // of the record told
	// neighbours among those that have a number and nothing on the stream, the longest idle first
	prev, next *peer
}

// peerTable gives peers their numbers. The one that was idle longest gives its own up for a new one; a peer with a
// request on the stream keeps it, so that the plugin never takes one peer for another.
type peerTable struct {
	peers map[peerKey]*peer
	used  int32 // numbers given away
	idle  peer  // ring: idle.next is the longest idle
}

func newPeerTable() peerTable { return peerTable{peers: make(map[peerKey]*peer)} }

// of returns a peer, which stays only when a request of it is opened.
func (t *peerTable) of(key peerKey) *peer {
	p := t.peers[key]
	if p == nil {
		p = &peer{key: key, number: -1}
	}
	return p
}

// opened counts a request of a peer.
func (t *peerTable) opened(p *peer) {
	if p.open++; p.open == 1 && p.number < 0 {
		t.peers[p.key] = p
	}
}

// sends counts a request that goes to the stream, and makes sure that the peer has a number. There is always one to be had:
// less than maxPeers requests are on the stream. It reports whether the peer is to be introduced.
func (t *peerTable) sends(p *peer, node *enode.Node) (introduce bool) {
	if p.sent++; p.sent == 1 && p.number >= 0 {
		p.unlink()
	}
	if p.number < 0 {
		if t.used < maxPeers {
			p.number = t.used
			t.used++
		} else {
			oldest := t.idle.next
			p.number = oldest.number
			oldest.unlink()
			oldest.number = -1
			if oldest.open == 0 {
				delete(t.peers, oldest.key)
			}
		}
		introduce = true
	} else if node != nil && (!p.known || node.Seq() != p.seq) {
		introduce = true
	}
	if introduce {
		if p.known = node != nil; p.known {
			p.seq = node.Seq()
		}
	}
	return introduce
}

// closed counts a request that is over; sent says whether it was on the stream.
func (t *peerTable) closed(p *peer, sent bool) {
	p.open--
	if sent {
		if p.sent--; p.sent == 0 {
			t.link(p)
		}
	}
	if p.open == 0 && p.number < 0 {
		delete(t.peers, p.key)
	}
}

func (t *peerTable) link(p *peer) {
	if t.idle.next == nil {
		t.idle.next, t.idle.prev = &t.idle, &t.idle
	}
	p.prev, p.next = t.idle.prev, &t.idle
	p.prev.next, p.next.prev = p, p
}

func (p *peer) unlink() {
	p.prev.next, p.next.prev = p.next, p.prev
	p.prev, p.next = nil, nil
}

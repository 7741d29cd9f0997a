package netsim

import (
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// Verdict is what became of a datagram.
type Verdict int

// The verdicts. A duplicate has one of its own.
const (
	Delivered   Verdict = iota // in the receiver's queue
	Lost                       // by Config.Loss, or by a hook's word
	Partitioned                // sender and receiver are in different groups
	Filtered                   // a NAT has no mapping for it, or does not let this sender in
	Overflow                   // the receiver's queue or the network is full
	Down                       // the sender or the receiver is down
	NoRoute                    // nobody listens at the address
	verdicts
)

var verdictNames = [verdicts]string{"delivered", "lost", "partitioned", "filtered", "overflow", "down", "no route"}

// String is the verdict in lower case words.
func (v Verdict) String() string {
	if v < 0 || v >= verdicts {
		return "verdict " + strconv.Itoa(int(v))
	}
	return verdictNames[v]
}

// Event tells the fate of one datagram.
type Event struct {
	At      time.Time      // when it was decided: on sending, or on arrival
	From    netip.AddrPort // the sender as the receiver sees it, so behind a NAT its public address
	To      netip.AddrPort // the address that the sender wrote to
	Data    []byte         // a copy that belongs to the tap
	Verdict Verdict
}

// Packet is a datagram about to set out. A hook may change every field. Data belongs to the hook
// until it returns; it may be replaced by a slice of any length up to 65,507 bytes.
type Packet struct {
	From  netip.AddrPort // the sender as the receiver will see it
	To    netip.AddrPort
	Data  []byte
	Delay time.Duration // from now to its arrival
}

// Tap adds a function that is called with the fate of every datagram from now on, duplicates
// included, in the order in which fates were decided. It stays for the life of the network. Calls
// never overlap, so taps need no lock among themselves; the call may come from another sender's
// goroutine, shortly after the write that caused it has returned. A tap may send, but must not wait.
func (n *Network) Tap(tap func(Event)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.taps = append(slices.Clone(n.taps), tap)
	n.tapped.Store(true)
}

// SetHook sets a function that is asked about every datagram on sending, after loss and partitions
// had their say, and may alter it; nil removes it. The verdict Delivered lets the datagram go on to
// its own fate, any other ends it there with this verdict. Calls may overlap. A hook must not wait
// for the network's users.
func (n *Network) SetHook(hook func(*Packet) Verdict) {
	if hook == nil {
		n.hook.Store(nil)
		return
	}
	n.hook.Store(&hook)
}

// record keeps the fate of a packet for the taps; the caller holds the lock.
func (n *Network) record(now time.Time, p *packet, v Verdict) {
	if len(n.taps) > 0 {
		n.events = append(n.events, Event{At: now, From: p.from, To: p.to, Data: slices.Clone(p.data), Verdict: v})
	}
}

// tell calls the taps with what is recorded, unless another goroutine is about it, which will then
// take this too. It is called without the lock after whatever may have recorded something.
func (n *Network) tell() {
	if !n.tapped.Load() {
		return
	}
	n.mu.Lock()
	if n.telling {
		n.mu.Unlock()
		return
	}
	n.telling = true
	for len(n.events) > 0 {
		events, taps := n.events, n.taps
		n.events = nil
		n.mu.Unlock()
		for _, e := range events {
			for _, tap := range taps {
				own := e
				own.Data = slices.Clone(e.Data)
				tap(own)
			}
		}
		n.mu.Lock()
	}
	n.telling = false
	n.mu.Unlock()
}

package core

import (
	"bytes"
	"errors"
	"net/netip"
	"time"

	"github.com/discv5/host/core/internal/limit"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// learnRate bounds the records of other hosts that are looked at; further ones come again with a later contact.
var learnRate = limit.Rate{PerSecond: 1000, Burst: 2048}

// errWatchEnded says that a watch returned without a reason.
var errWatchEnded = errors.New("core: the watch of the store ended")

// watch has changed told what other hosts store under a prefix, until the node is closed. What is stored while a watch is
// broken is not told; it comes with the next contact.
func (s *storeWriter) watch(w Watcher, prefix string, changed func([]Entry)) {
	pause := storePause
	for {
		began := time.Now()
		err := contained(func() error { return w.Watch(s.n.closing, []byte(prefix), changed) })
		if s.n.closing.Err() != nil {
			return
		}
		if err == nil {
			err = errWatchEnded
		}
		if time.Since(began) > maxStorePause {
			pause = storePause
		}
		s.watchFailed(err)
		select {
		case <-time.After(pause):
		case <-s.n.done:
			return
		}
		pause = min(2*pause, maxStorePause)
	}
}

// watchFailed counts that a watch ended. What others store is a help and no more, so the store is not degraded by it.
func (s *storeWriter) watchFailed(err error) {
	s.n.log.Debug("watch of the store ended", "err", err)
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	s.stats.Failures++
}

// changedNodes offers nodes to the table whose records other hosts stored: those that are new to us, or newer than ours.
// They are verified before they are used, like all others.
func (s *storeWriter) changedNodes(entries []Entry) {
	now := time.Now()
	var nodes []*enode.Node
	for _, e := range s.news(now, entries) {
		record, ok := decodeStoredNode(e.Value)
		if !ok || e.expired(now) {
			continue
		}
		node, err := s.n.records.verify(record)
		if err == nil && bytes.Equal(e.Key, nodeKey(nodePrefix, node.ID())) {
			nodes = append(nodes, node)
		}
	}
	if len(nodes) > 0 {
		s.n.turn(func(now time.Time) {
			for _, node := range nodes {
				s.offerLearned(now, node)
			}
		})
	}
}

// news are the entries that tell of a record that we do not have, as many as learnRate allows.
func (s *storeWriter) news(now time.Time, entries []Entry) (news []Entry) {
	s.n.turn(func(time.Time) {
		for _, e := range entries {
			id, ok := keyID(nodePrefix, e.Key)
			if !ok || id == s.n.self {
				continue
			}
			if known := s.n.table.Node(id); known != nil && known.Seq() >= e.Version {
				continue
			}
			if !s.learning.Allow(now, learnRate) {
				break
			}
			news = append(news, e)
		}
	})
	return news
}

func (s *storeWriter) offerLearned(now time.Time, node *enode.Node) {
	if known := s.n.table.Node(node.ID()); known != nil && known.Seq() >= node.Seq() {
		return
	}
	s.n.offer(now, node, netip.AddrPort{})
	s.stats.Learned++
}

// changedContacts notes nodes that another host has met and that we do not know, and has their records read.
func (s *storeWriter) changedContacts(entries []Entry) {
	s.n.turn(func(time.Time) {
		for _, e := range entries {
			id, ok := keyID(seenPrefix, e.Key)
			if !ok || id == s.n.self || len(s.met) >= storeBatch || s.n.table.Node(id) != nil {
				continue
			}
			if len(s.met) == 0 {
				s.load(s.loadMet)
			}
			s.met[id] = true
		}
	})
}

// loadMet offers nodes to the table that another host has met.
func (s *storeWriter) loadMet() error {
	var met map[enode.ID]bool
	s.n.turn(func(time.Time) { met, s.met = s.met, make(map[enode.ID]bool) })
	if len(met) == 0 {
		return nil
	}
	var keys [][]byte
	for id := range met {
		keys = append(keys, nodeKey(nodePrefix, id))
	}
	found, err := s.get(keys)
	if err == nil {
		err = s.offerStored(found, &s.stats.Learned)
	}
	if err != nil { // they are asked for again, beside those that came meanwhile
		s.n.turn(func(time.Time) {
			for id := range met {
				if len(s.met) < storeBatch {
					s.met[id] = true
				}
			}
		})
	}
	return err
}

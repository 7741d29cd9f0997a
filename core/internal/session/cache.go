package session

// cache keeps the sessions, least recently used ones last, in two parts. A session that a stranger opened stands in
// probation until a packet authenticates after its handshake. Probation may use a quarter of the cache and whatever
// is free, so that a flood of fresh identities pushes out its own kind and not the sessions in use.
type cache struct {
	capacity int
	sessions map[Peer]*Session
	parts    [2]sessionList // probation, main
}

// sessionList is a doubly linked ring with a sentinel, newest first.
type sessionList struct {
	root Session
	len  int
}

func newCache(capacity int) *cache {
	c := &cache{capacity: max(capacity, 1), sessions: make(map[Peer]*Session)}
	for i := range c.parts {
		l := &c.parts[i]
		l.root.next, l.root.prev = &l.root, &l.root
	}
	return c
}

func (l *sessionList) pushFront(s *Session) {
	s.prev, s.next = &l.root, l.root.next
	s.prev.next, s.next.prev = s, s
	l.len++
}

func (l *sessionList) remove(s *Session) {
	s.prev.next, s.next.prev = s.next, s.prev
	s.prev, s.next = nil, nil
	l.len--
}

func (c *cache) part(main bool) *sessionList {
	if main {
		return &c.parts[1]
	}
	return &c.parts[0]
}

// lookup finds a session without touching its rank.
func (c *cache) lookup(p Peer) *Session { return c.sessions[p] }

// touch makes s the most recently used of its part; with main it leaves probation.
func (c *cache) touch(s *Session, main bool) {
	l := c.part(s.main)
	if s.main == (s.main || main) && l.root.next == s {
		return
	}
	l.remove(s)
	s.main = s.main || main
	c.part(s.main).pushFront(s)
}

// add inserts a new session and returns the one it pushed out, if any.
func (c *cache) add(s *Session, main bool) (evicted *Session) {
	if len(c.sessions) >= c.capacity {
		evicted = c.oldest()
		c.remove(evicted)
	}
	s.main = main
	c.sessions[s.Peer] = s
	c.part(main).pushFront(s)
	return evicted
}

// oldest chooses what a full cache gives up: a stranger's session when strangers have used up their quarter,
// otherwise the least recently used one in use.
func (c *cache) oldest() *Session {
	probation, main := c.part(false), c.part(true)
	if main.len == 0 || probation.len > 0 && probation.len >= c.capacity/4 {
		return probation.root.prev
	}
	return main.root.prev
}

func (c *cache) remove(s *Session) {
	c.part(s.main).remove(s)
	delete(c.sessions, s.Peer)
}

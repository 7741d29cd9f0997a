package session

import (
	"net/netip"
	"testing"
	"time"

	"github.com/discv5/host/codec"
)

// tape feeds the fuzzer's bytes to the operations, zeros when they are used up.
type tape struct{ b []byte }

func (t *tape) next() int {
	if len(t.b) == 0 {
		return 0
	}
	v := t.b[0]
	t.b = t.b[1:]
	return int(v)
}

func (t *tape) take(n int) []byte {
	n = min(n, len(t.b))
	v := t.b[:n]
	t.b = t.b[n:]
	return v
}

// script is a run of the fuzzer.
type script struct {
	*world
	tape
	x, y  *host
	calls []*call
}

// Operations of a script.
const (
	opPing = iota
	opTalk
	opDeliver
	opDeliverFirst
	opDuplicate
	opDrop
	opMutate
	opTruncate
	opOtherAddress
	opHostile
	opRandom
	opWhoareyou
	opFinish
	opAbandon
	opForget
	opTime
	opEnd
	opRestart
	opRespond
	opLimits
	numOps
)

// Bounds that keep a script short.
const (
	maxScriptOps   = 300
	maxScriptWire  = 64
	maxScriptJobs  = 32
	maxScriptCalls = 64
)

// step does one operation.
func (s *script) step() {
	op := s.next() % numOps
	x, y := s.x, s.y
	if s.next()%2 == 1 {
		x, y = y, x
	}
	if len(s.wire) > maxScriptWire {
		s.wire = s.wire[len(s.wire)-maxScriptWire:]
	}
	switch op {
	case opPing, opTalk:
		s.send(op, x, y)
	case opDeliver, opDeliverFirst, opDuplicate, opDrop, opMutate, opTruncate, opOtherAddress:
		if len(s.wire) > 0 {
			s.move(op)
		}
	case opHostile:
		x.gets(y.addr, s.tape.take(s.next()*5))
	case opRandom:
		x.gets(y.addr, x.random(y.record.ID(), codec.Nonce{byte(s.next())}))
	case opWhoareyou: // from the right address, for a packet that is under way
		for n := range x.m.byNonce {
			x.gets(y.addr, codec.AppendWhoareyou(nil, codec.DefaultProtocolID, x.m.mask, codec.IV{}, n, codec.IDNonce{}, uint64(s.next()%3)))
			break
		}
	case opFinish:
		if len(s.jobs) > 0 {
			s.finish(s.next() % len(s.jobs))
		}
	case opAbandon:
		if len(s.jobs) > 0 {
			i := s.next() % len(s.jobs)
			j := s.jobs[i]
			s.jobs = append(s.jobs[:i:i], s.jobs[i+1:]...)
			j.at.m.Abandon(s.now, j.job)
		}
	case opForget:
		if len(s.calls) > 0 {
			i := s.next() % len(s.calls)
			s.calls[i].gives()
			s.calls = append(s.calls[:i:i], s.calls[i+1:]...)
		}
	case opTime:
		s.passes([]time.Duration{time.Millisecond, 100 * time.Millisecond, confirmAfter, challengeLife, responseTimeout, time.Hour}[s.next()%6])
	case opEnd:
		x.loses(y)
	case opRestart:
		s.restart(x)
	case opRespond:
		x.m.Respond(s.now, y.peer(), []byte{2, 0xc0})
	case opLimits:
		x.allow = !x.allow
	}
	for len(s.jobs) > maxScriptJobs {
		s.finish(0)
	}
	s.check()
}

func (s *script) send(op int, x, y *host) {
	if len(s.calls) >= maxScriptCalls {
		return
	}
	c := x.pings(y)
	if op == opTalk {
		c.gives()
		c = x.talks(y, s.next()*5)
	}
	if c.err == nil {
		s.calls = append(s.calls, c)
	}
}

func (s *script) move(op int) {
	i := s.next() % len(s.wire)
	d := s.wire[i]
	d.data = append([]byte(nil), d.data...)
	switch op {
	case opDeliver:
		s.world.take(i)
	case opDeliverFirst:
		d = s.world.take(0)
	case opDrop:
		s.world.take(i)
		return
	case opMutate:
		d.data[(s.next()*5)%len(d.data)] ^= byte(1 + s.next()%255)
	case opTruncate:
		d.data = d.data[:(s.next()*5)%len(d.data)]
	case opOtherAddress:
		d.from = netip.AddrPortFrom(d.from.Addr(), d.from.Port()+1)
	}
	s.deliver(d)
}

// restart takes the memory of a host away, and with it its calls and jobs.
func (s *script) restart(x *host) {
	var calls []*call
	for _, c := range s.calls {
		if c.from != x {
			calls = append(calls, c)
		}
	}
	var jobs []work
	for _, j := range s.jobs {
		if j.at != x {
			jobs = append(jobs, j)
		}
	}
	s.calls, s.jobs = calls, jobs
	x.restarts()
}

// ends gives everything up, wants nothing left, and wants the two still able to talk.
func (s *script) ends() {
	for _, c := range s.calls {
		c.gives()
	}
	s.settle()
	s.passes(responseTimeout)
	s.settle()
	s.passes(responseTimeout)
	s.lost()
	s.x.wantEmpty("after the script")
	s.y.wantEmpty("after the script")
	s.x.allow, s.y.allow, s.later = true, true, false
	for _, x := range []*host{s.x, s.y, s.x} {
		y := s.x
		if x == s.x {
			y = s.y
		}
		c := x.pings(y)
		s.settle()
		s.passes(confirmAfter)
		s.settle()
		c.mustBeAnswered("a PING after the script")
		s.passes(responseTimeout)
	}
}

// FuzzMachine plays any sequence of operations between two machines, with the invariants checked after each step.
func FuzzMachine(f *testing.F) {
	f.Add([]byte{opPing, 0, opDeliverFirst, 0, 0, opDeliverFirst, 0, 0, opFinish, 0, 0, opDeliverFirst, 0, 0, opFinish, 0, 0, opDeliverFirst, 0, 0})
	f.Add([]byte{opPing, 0, opPing, 1, opDeliver, 0, 1, opDeliver, 0, 0, opDeliver, 0, 1, opDeliver, 0, 0, opFinish, 0, 1, opFinish, 0, 0, opTime, 0, 2})
	f.Add([]byte{opTalk, 0, 234, opDeliverFirst, 0, 0, opDeliverFirst, 0, 0, opFinish, 0, 0, opMutate, 0, 0, 10, 3, opDrop, 0, 0, opTime, 0, 2, opPing, 0})
	f.Add([]byte{opPing, 0, opDeliverFirst, 0, 0, opDeliverFirst, 0, 0, opAbandon, 0, 0, opTime, 0, 2, opWhoareyou, 0, 0, opFinish, 0, 0, opEnd, 0, opForget, 0, 0, opRestart, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		w, a, b := pair(t)
		w.later = true
		s := &script{world: w, tape: tape{data}, x: a, y: b}
		for i := 0; i < maxScriptOps && len(s.tape.b) > 0; i++ {
			s.step()
		}
		s.ends()
	})
}

// FuzzHostileBytes hands datagrams whose header is intact up to the flag, and anything behind it, to a machine that has
// a session, a request under way and a challenge outstanding.
func FuzzHostileBytes(f *testing.F) {
	f.Add(byte(0), []byte("0123456789abcdef0123456789abcdef"))
	f.Add(byte(1), make([]byte, 24))
	f.Add(byte(2), make([]byte, 200))
	f.Fuzz(func(t *testing.T, flag byte, rest []byte) {
		w, a, b := friends(t)
		c := a.pings(b)
		a.gets(b.addr, a.random(b.record.ID(), codec.Nonce{1}))
		w.lost()
		d := a.random(b.record.ID(), codec.Nonce{1})[:codec.IVSize+codec.StaticHeaderSize]
		d[codec.IVSize+8] ^= flag // what is masked with a key stream is flipped through the mask
		a.gets(b.addr, append(d, rest[:min(len(rest), 1300)]...))
		w.settle()
		w.check()
		c.gives()
		w.passes(responseTimeout)
		a.wantEmpty("after hostile bytes")
		a.mustPing(b)
	})
}

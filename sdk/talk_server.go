package sdk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"time"

	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Bounds of a talk stream.
const (
	maxInFlight     = 4096 // that the host may allow
	defaultInFlight = 1024
	maxTalkResponse = 1177 // bytes, if the host does not say: discv5-wire.md, packets have at most 1280 bytes
	maxTalkTimeout  = time.Minute
	maxTalkError    = 256 // bytes of an error that goes to the host's log
)

// talkServer serves Talk.
type talkServer struct {
	pluginpb.UnimplementedTalkServer

	// set before the stream is served, then read-only
	in          *instance
	handler     TalkHandler
	described   []string
	wanted      int // in flight
	protocols   []string
	maxInFlight int
	maxResponse int

	mu       sync.Mutex
	streams  map[*talkStream]struct{}
	lastLog  time.Time // of a panic or an oversized response
	unlogged int       // since then
}

func newTalkServer(in *instance, p *TalkPlugin) *talkServer {
	return &talkServer{in: in, handler: p.Handler, described: p.Protocols, wanted: p.MaxInFlight, streams: make(map[*talkStream]struct{})}
}

func (s *talkServer) configure(t *pluginpb.TalkSettings) error {
	for _, p := range t.GetProtocols() {
		s.protocols = append(s.protocols, string(p))
	}
	if len(s.protocols) == 0 {
		s.protocols = s.described
	}
	s.maxInFlight = int(min(t.GetMaxInFlight(), maxInFlight))
	if s.maxInFlight == 0 {
		s.maxInFlight = min(max(s.wanted, 0), maxInFlight)
	}
	if s.maxInFlight == 0 {
		s.maxInFlight = defaultInFlight
	}
	s.maxResponse = int(min(t.GetMaxResponse(), pluginpb.MaxMessage/2))
	if s.maxResponse == 0 {
		s.maxResponse = maxTalkResponse
	}
	return nil
}

// Serve serves Talk.Serve. This goroutine reads; workers do the rest.
func (s *talkServer) Serve(stream grpc.BidiStreamingServer[pluginpb.TalkRequests, pluginpb.TalkResponses]) error {
	if !s.in.serving() {
		return errNotReady
	}
	ctx, cancel := context.WithCancel(s.in.ctx)
	defer cancel() // whatever still runs has nobody to answer
	t := newTalkStream(s, ctx, stream)
	s.mu.Lock()
	s.streams[t] = struct{}{}
	s.mu.Unlock()
	defer func() {
		t.close()
		s.mu.Lock()
		delete(s.streams, t)
		s.mu.Unlock()
	}()

	var m talkBatchIn
	defer m.free()
	for {
		if err := stream.RecvMsg(&m); err != nil {
			return endOfStream(err)
		}
		for _, p := range m.peers {
			if err := t.introduce(&p); err != nil {
				return err
			}
		}
		if err := t.accept(m.requests, time.Now()); err != nil {
			return err
		}
		if len(m.cancelled) > 0 {
			t.cancel(m.cancelled)
		}
	}
}

// endOfStream is what a stream's handler returns when its client ended it.
func endOfStream(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// waitIdle waits until nothing waits for an answer, or for the end of ctx.
func (s *talkServer) waitIdle(ctx context.Context) {
	s.mu.Lock()
	var streams []*talkStream
	for t := range s.streams {
		streams = append(streams, t)
	}
	s.mu.Unlock()
	for _, t := range streams {
		t.waitIdle(ctx)
	}
}

// complain logs what a handler did wrong, once a second at most.
func (s *talkServer) complain(message string, args ...any) {
	s.mu.Lock()
	now := time.Now()
	due := now.Sub(s.lastLog) >= time.Second
	left := s.unlogged
	if due {
		s.lastLog, s.unlogged = now, 0
	} else {
		s.unlogged++
	}
	s.mu.Unlock()
	if due {
		s.in.log.Error(message, append(args, "unlogged", left)...)
	}
}

// talkPeer is a peer that requests name by its number.
type talkPeer struct {
	known bool
	id    enode.ID
	addr  netip.AddrPort
	node  *enode.Node
}

// introduce gives a number to a peer.
func (t *talkStream) introduce(p *talkPeerIn) error {
	number := p.number
	if number >= pluginpb.MaxPeers {
		return status.Errorf(codes.InvalidArgument, "peer number %d is not below %d", number, pluginpb.MaxPeers)
	}
	id, ok := nodeID(p.id)
	if !ok {
		return status.Error(codes.InvalidArgument, errNodeID.Error())
	}
	peer := talkPeer{known: true, id: id, addr: addrPort(p.ip, p.port)}
	if len(p.record) > 0 {
		n, err := node(p.id, p.record)
		if err != nil {
			return status.Error(codes.InvalidArgument, fmt.Sprintf("record of peer %d: %v", number, err))
		}
		peer.node = n
	}
	for uint32(len(t.peers)) <= number {
		t.peers = append(t.peers, talkPeer{})
	}
	t.peers[number] = peer
	return nil
}

package sdktest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"time"

	"github.com/discv5/host/sdk"
	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/rlp"
	"google.golang.org/grpc"
)

// answerTime is how long an answer may take in a test. Only the tests of this package change it.
var answerTime = 5 * time.Second

// talkStream is the host's side of Talk.Serve. It keeps every response. It is safe for concurrent use.
type talkStream struct {
	stream    grpc.BidiStreamingClient[pluginpb.TalkRequests, pluginpb.TalkResponses]
	protocols []string

	sending sync.Mutex

	mu        sync.Mutex
	responses map[uint64][]*pluginpb.TalkResponse
	changed   chan struct{} // closed and made anew when something comes
	err       error         // why the stream ended
	count     int           // of the responses
	id        uint64        // the last one used
	peer      uint32        // the last number used
}

// maxResponses bounds the responses that are kept: a plugin that sends more is read no further.
const maxResponses = 1 << 20

func openTalk(ctx context.Context, conn *grpc.ClientConn, protocols []string) (*talkStream, error) {
	stream, err := pluginpb.NewTalkClient(conn).Serve(ctx)
	if err != nil {
		return nil, err
	}
	s := &talkStream{
		stream: stream, protocols: protocols, responses: make(map[uint64][]*pluginpb.TalkResponse), changed: make(chan struct{}),
	}
	go s.read()
	return s, nil
}

func (s *talkStream) read() {
	for {
		m, err := s.stream.Recv()
		s.mu.Lock()
		for _, r := range m.GetResponses() {
			s.responses[r.GetId()] = append(s.responses[r.GetId()], r)
		}
		if s.count += len(m.GetResponses()); err == nil && s.count > maxResponses {
			err = fmt.Errorf("more than %d responses", maxResponses)
		}
		s.err = err
		close(s.changed)
		s.changed = make(chan struct{})
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// send sends a batch.
func (s *talkStream) send(m *pluginpb.TalkRequests) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	err := s.stream.Send(m)
	if errors.Is(err, io.EOF) { // the cause comes on the other half
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.err != nil {
			return fmt.Errorf("the plugin ended its stream: %w", s.err)
		}
	}
	return err
}

// wait waits until every id has a response, for answerTime at most.
func (s *talkStream) wait(ids ...uint64) error {
	timer := time.NewTimer(answerTime)
	defer timer.Stop()
	for {
		s.mu.Lock()
		missing, changed, err := 0, s.changed, s.err
		for _, id := range ids {
			if len(s.responses[id]) == 0 {
				missing++
			}
		}
		s.mu.Unlock()
		if missing == 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the plugin ended its stream with %d of %d responses missing: %w", missing, len(ids), err)
		}
		select {
		case <-changed:
		case <-timer.C:
			return fmt.Errorf("%d of %d responses are missing after %s", missing, len(ids), answerTime)
		}
	}
}

// nextID returns an id that was not used before on this stream.
func (s *talkStream) nextID() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.id++
	return s.id
}

// ask sends one request and waits for the response.
func (s *talkStream) ask(peer *pluginpb.TalkPeer, protocol string, payload []byte) ([]byte, error) {
	place := -1
	for i, p := range s.protocols {
		if p == protocol {
			place = i
		}
	}
	if place < 0 {
		return nil, fmt.Errorf("the plugin does not speak %q", protocol)
	}
	s.mu.Lock()
	s.peer = (s.peer + 1) % pluginpb.MaxPeers
	peer.Number = s.peer
	s.mu.Unlock()
	id := s.nextID()
	err := s.send(&pluginpb.TalkRequests{
		Peers: []*pluginpb.TalkPeer{peer},
		Requests: []*pluginpb.TalkRequest{{
			Id: id, Peer: peer.Number, Protocol: uint32(place), Payload: payload, TimeoutUs: uint32(answerTime / time.Microsecond),
		}},
	})
	if err != nil {
		return nil, err
	}
	if err := s.wait(id); err != nil {
		return nil, err
	}
	s.mu.Lock()
	r := s.responses[id][0]
	s.mu.Unlock()
	if r.GetError() != "" {
		return nil, fmt.Errorf("%w: %s", ErrAnswer, r.GetError())
	}
	return r.GetPayload(), nil
}

// ErrAnswer marks the errors of a plugin's own handler: it answered that it cannot answer.
var ErrAnswer = errors.New("the plugin answered with an error")

// talkPeer introduces a node; its number is the sender's to choose.
func talkPeer(n *enode.Node, from netip.AddrPort) *pluginpb.TalkPeer {
	p := &pluginpb.TalkPeer{NodeId: n.ID().Bytes(), Ip: from.Addr().AsSlice(), Port: uint32(from.Port())}
	p.Record = record(n)
	return p
}

// record is a node's record as it travels.
func record(n *enode.Node) []byte {
	b, err := rlp.EncodeToBytes(n.Record())
	if err != nil {
		panic(fmt.Sprintf("sdktest: record of %s: %v", n.ID(), err)) // it was decoded once
	}
	return b
}

// filterStream is the host's side of Filter.Decide. One batch at a time.
type filterStream struct {
	stream grpc.BidiStreamingClient[pluginpb.FilterBatch, pluginpb.FilterVerdicts]

	mu sync.Mutex
	id uint64
}

func openFilter(ctx context.Context, conn *grpc.ClientConn) (*filterStream, error) {
	stream, err := pluginpb.NewFilterClient(conn).Decide(ctx)
	if err != nil {
		return nil, err
	}
	return &filterStream{stream: stream}, nil
}

var stages = map[sdk.Stage]pluginpb.Stage{
	sdk.StageTable: pluginpb.Stage_STAGE_TABLE, sdk.StageServe: pluginpb.Stage_STAGE_SERVE, sdk.StageDeliver: pluginpb.Stage_STAGE_DELIVER,
}

// decide sends a batch and waits for its answer, which it checks against the contract.
func (s *filterStream) decide(stage sdk.Stage, nodes []*enode.Node) ([]sdk.Verdict, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.id++
	batch := &pluginpb.FilterBatch{Id: s.id, Stage: stages[stage], TimeoutMs: uint32(answerTime / time.Millisecond)}
	for _, n := range nodes {
		batch.Nodes = append(batch.Nodes, &pluginpb.FilterNode{NodeId: n.ID().Bytes(), Record: record(n)})
	}
	if err := s.stream.Send(batch); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	type received struct {
		m   *pluginpb.FilterVerdicts
		err error
	}
	answer := make(chan received, 1)
	go func() {
		m, err := s.stream.Recv()
		answer <- received{m, err}
	}()
	timer := time.NewTimer(answerTime)
	defer timer.Stop()
	select {
	case r := <-answer:
		if r.err != nil {
			return nil, fmt.Errorf("the plugin ended its stream: %w", r.err)
		}
		return verdicts(batch, r.m)
	case <-timer.C:
		return nil, fmt.Errorf("no verdicts after %s", answerTime)
	}
}

// verdicts checks an answer and reads it.
func verdicts(batch *pluginpb.FilterBatch, m *pluginpb.FilterVerdicts) ([]sdk.Verdict, error) {
	switch {
	case m.GetId() != batch.GetId():
		return nil, fmt.Errorf("the answer has the id %d, not %d", m.GetId(), batch.GetId())
	case m.GetError() != "":
		return nil, fmt.Errorf("%w: %s", ErrAnswer, m.GetError())
	case len(m.GetVerdicts()) != len(batch.GetNodes()):
		return nil, fmt.Errorf("%d verdicts about %d nodes", len(m.GetVerdicts()), len(batch.GetNodes()))
	}
	out := make([]sdk.Verdict, len(m.GetVerdicts()))
	for i, v := range m.GetVerdicts() {
		d := v.GetDecision()
		if d < 0 || d > pluginpb.Decision_DECISION_REJECT {
			return nil, fmt.Errorf("verdict %d has the decision %d, which does not exist", i, d)
		}
		if !isReason(v.GetReason()) {
			return nil, fmt.Errorf("verdict %d has the reason %q: at most 32 of a-z, 0-9 and _ are possible", i, v.GetReason())
		}
		out[i] = sdk.Verdict{Decision: sdk.Decision(d), Reason: v.GetReason(), TTL: time.Duration(v.GetTtlS()) * time.Second}
	}
	return out, nil
}

func isReason(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return len(s) <= 32
}

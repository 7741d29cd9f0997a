package sdk

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"google.golang.org/grpc"
)

const (
	maxFilterBatch = 256
	maxReason      = 32
)

var stageOf = map[pluginpb.Stage]Stage{
	pluginpb.Stage_STAGE_TABLE:   StageTable,
	pluginpb.Stage_STAGE_SERVE:   StageServe,
	pluginpb.Stage_STAGE_DELIVER: StageDeliver,
}

type filterServer struct {
	pluginpb.UnimplementedFilterServer
	in     *instance
	filter Filter
}

// Decide serves Filter.Decide: one batch at a time.
func (s *filterServer) Decide(stream grpc.BidiStreamingServer[pluginpb.FilterBatch, pluginpb.FilterVerdicts]) error {
	if !s.in.serving() {
		return errNotReady
	}
	for {
		batch, err := stream.Recv()
		if err != nil {
			return endOfStream(err)
		}
		answer := &pluginpb.FilterVerdicts{Id: batch.GetId()}
		if answer.Verdicts, err = s.decide(stream.Context(), batch); err != nil {
			answer.Verdicts, answer.Error = nil, clip(err.Error(), maxErrorText)
		}
		if err := stream.Send(answer); err != nil {
			return err
		}
	}
}

func (s *filterServer) decide(ctx context.Context, batch *pluginpb.FilterBatch) ([]*pluginpb.Verdict, error) {
	if len(batch.GetNodes()) > maxFilterBatch {
		return nil, fmt.Errorf("batch of %d nodes, at most %d", len(batch.GetNodes()), maxFilterBatch)
	}
	stage, known := stageOf[batch.GetStage()]
	if !known {
		return nil, fmt.Errorf("unknown stage %d", batch.GetStage())
	}
	if ms := batch.GetTimeoutMs(); ms > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(ms)*time.Millisecond)
		defer cancel()
	}
	verdicts := make([]*pluginpb.Verdict, len(batch.GetNodes()))
	nodes := make([]*enode.Node, 0, len(verdicts))
	places := make([]int, 0, len(verdicts)) // of nodes[i] in the batch
	for i, n := range batch.GetNodes() {
		decoded, err := node(n.GetNodeId(), n.GetRecord())
		if err != nil {
			verdicts[i] = &pluginpb.Verdict{Decision: pluginpb.Decision_DECISION_REJECT, Reason: "bad_record"}
			continue
		}
		nodes, places = append(nodes, decoded), append(places, i)
	}
	out := make([]Verdict, len(nodes))
	if len(nodes) > 0 {
		if err := s.in.guard("Filter", func() error { return s.filter.Decide(ctx, stage, nodes, out) }); err != nil {
			return nil, err
		}
	}
	answers := make([]pluginpb.Verdict, len(out))
	for i, v := range out {
		verdicts[places[i]] = &answers[i]
		setVerdict(&answers[i], v)
	}
	return verdicts, nil
}

func setVerdict(out *pluginpb.Verdict, v Verdict) {
	out.Reason = reasonCode(v.Reason)
	switch v.Decision {
	case Accept:
		out.Decision = pluginpb.Decision_DECISION_ACCEPT
	case Reject:
		out.Decision = pluginpb.Decision_DECISION_REJECT
	}
	if v.TTL > 0 {
		out.TtlS = uint32(min(math.Ceil(v.TTL.Seconds()), math.MaxUint32))
	}
}

// reasonCode makes a code that the host takes of any text.
func reasonCode(text string) string {
	if len(text) > maxReason {
		text = text[:maxReason]
	}
	clean := true
	for i := range len(text) {
		clean = clean && inCode(text[i])
	}
	if clean {
		return text
	}
	code := []byte(text)
	for i, c := range code {
		switch {
		case 'A' <= c && c <= 'Z':
			code[i] = c - 'A' + 'a'
		case !inCode(c):
			code[i] = '_'
		}
	}
	return string(code)
}

func inCode(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '_' }

// Decide asks f about each node.
func (f FilterFunc) Decide(_ context.Context, _ Stage, nodes []*enode.Node, out []Verdict) error {
	for i, n := range nodes {
		out[i] = f.verdict(n)
	}
	return nil
}

func (f FilterFunc) verdict(n *enode.Node) (v Verdict) {
	defer func() {
		if recover() != nil {
			v = Rejected("panic")
		}
	}()
	if f(n) {
		return Accepted()
	}
	return Rejected("no_match")
}

package link

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/discv5/host/core"
	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"google.golang.org/grpc"
)

// filterPlugin is a filter plugin that does what a test wants with each batch; a nil answer is none.
type filterPlugin struct {
	pluginpb.UnimplementedFilterServer
	decide func(*pluginpb.FilterBatch) (*pluginpb.FilterVerdicts, error)
}

func (p filterPlugin) Decide(s grpc.BidiStreamingServer[pluginpb.FilterBatch, pluginpb.FilterVerdicts]) error {
	for {
		m, err := s.Recv()
		if err != nil {
			return err
		}
		answer, err := p.decide(m)
		if err != nil {
			return err
		}
		if answer == nil {
			continue
		}
		if err := s.Send(answer); err != nil {
			return err
		}
	}
}

func openFilter(t *testing.T, decide func(*pluginpb.FilterBatch) (*pluginpb.FilterVerdicts, error)) *Filter {
	t.Helper()
	conn := connect(t, func(s *grpc.Server) { pluginpb.RegisterFilterServer(s, filterPlugin{decide: decide}) })
	f, err := OpenFilter(context.Background(), conn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

// bySeq rejects records with an odd sequence number.
func bySeq(m *pluginpb.FilterBatch) (*pluginpb.FilterVerdicts, error) {
	out := &pluginpb.FilterVerdicts{Id: m.Id}
	for _, n := range m.Nodes {
		node, _, err := newRecords().verify(n.Record)
		if err != nil || string(node.ID().Bytes()) != string(n.NodeId) {
			return nil, fmt.Errorf("bad node: %w", err)
		}
		v := &pluginpb.Verdict{Decision: pluginpb.Decision_DECISION_ACCEPT}
		if node.Seq()%2 == 1 {
			v = &pluginpb.Verdict{Decision: pluginpb.Decision_DECISION_REJECT, Reason: "odd", TtlS: 60}
		}
		out.Verdicts = append(out.Verdicts, v)
	}
	return out, nil
}

func twoNodes(t *testing.T) []*enode.Node {
	return []*enode.Node{testNode(t, newKey(t), 1), testNode(t, newKey(t), 2)}
}

func TestFilterDecides(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var stage pluginpb.Stage
		f := openFilter(t, func(m *pluginpb.FilterBatch) (*pluginpb.FilterVerdicts, error) {
			stage = m.Stage
			return bySeq(m)
		})
		nodes, out := twoNodes(t), make([]core.Verdict, 2)
		for range 3 {
			clear(out)
			if err := f.Decide(context.Background(), core.StageServe, nodes, out); err != nil {
				t.Fatal(err)
			}
			if out[0] != (core.Verdict{Decision: core.Reject, Reason: "odd", TTL: time.Minute}) || out[1] != (core.Verdict{Decision: core.Accept}) {
				t.Errorf("verdicts are %+v", out)
			}
		}
		if stage != pluginpb.Stage_STAGE_SERVE {
			t.Errorf("stage is %v", stage)
		}
		if s := f.Stats(); s != (FilterStats{Batches: 3, Nodes: 6, Decided: 6}) {
			t.Errorf("stats are %+v", s)
		}
	})
}

func TestFilterTakesALateAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := openFilter(t, func(m *pluginpb.FilterBatch) (*pluginpb.FilterVerdicts, error) {
			time.Sleep(time.Second)
			return bySeq(m)
		})
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		defer cancel()
		out := make([]core.Verdict, 2)
		if err := f.Decide(ctx, core.StageTable, twoNodes(t), out); err != nil {
			t.Fatal(err)
		}
		if s := f.Stats(); out[0].Decision != core.Reject || s.Late != 1 {
			t.Errorf("verdicts are %v, stats %+v", out, s)
		}
	})
}

func TestFilterSendsNothingWhileAnAnswerIsOwed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		release := make(chan struct{})
		var batches atomic.Int32
		f := openFilter(t, func(m *pluginpb.FilterBatch) (*pluginpb.FilterVerdicts, error) {
			batches.Add(1)
			<-release
			return bySeq(m)
		})
		nodes, out := twoNodes(t), make([]core.Verdict, 2)
		for range 2 {
			ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
			if err := f.Decide(ctx, core.StageTable, nodes, out); !errors.Is(err, ErrBusy) {
				t.Errorf("decided: %v", err)
			}
			cancel()
		}
		if n := batches.Load(); n != 1 {
			t.Errorf("%d batches were sent", n)
		}
		close(release)
		synctest.Wait()
		if err := f.Decide(context.Background(), core.StageTable, nodes, out); err != nil || out[0].Decision != core.Reject {
			t.Errorf("afterwards: %v, %v", out, err)
		}
		if s := f.Stats(); s.Wasted != 1 || s.Batches != 2 {
			t.Errorf("stats are %+v", s)
		}
	})
}

func TestFilterEndsWithItsContext(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := openFilter(t, func(*pluginpb.FilterBatch) (*pluginpb.FilterVerdicts, error) { return nil, nil })
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		if err := f.Decide(ctx, core.StageTable, twoNodes(t), make([]core.Verdict, 2)); !errors.Is(err, context.Canceled) || time.Since(start) != time.Second {
			t.Errorf("decided after %v: %v", time.Since(start), err)
		}
	})
}

func TestFilterEndsWithClose(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := openFilter(t, func(*pluginpb.FilterBatch) (*pluginpb.FilterVerdicts, error) { return nil, nil })
		time.AfterFunc(time.Second, f.Close)
		if err := f.Decide(context.Background(), core.StageTable, twoNodes(t), make([]core.Verdict, 2)); !errors.Is(err, ErrClosed) {
			t.Errorf("decided: %v", err)
		}
		if err := f.Decide(context.Background(), core.StageTable, twoNodes(t), make([]core.Verdict, 2)); !errors.Is(err, ErrClosed) {
			t.Errorf("after the end: %v", err)
		}
	})
}

func TestFilterRefusesWhatIsNoAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(*pluginpb.FilterVerdicts)
		want   error
		lasts  bool
	}{
		"too few verdicts":  {func(m *pluginpb.FilterVerdicts) { m.Verdicts = m.Verdicts[:1] }, ErrInvalid, true},
		"too many verdicts": {func(m *pluginpb.FilterVerdicts) { m.Verdicts = append(m.Verdicts, m.Verdicts...) }, ErrInvalid, true},
		"an error":          {func(m *pluginpb.FilterVerdicts) { m.Error = "no database" }, ErrFailed, true},
		"another batch":     {func(m *pluginpb.FilterVerdicts) { m.Id++ }, ErrInvalid, false},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				f := openFilter(t, func(m *pluginpb.FilterBatch) (*pluginpb.FilterVerdicts, error) {
					answer, err := bySeq(m)
					c.answer(answer)
					return answer, err
				})
				out := make([]core.Verdict, 2)
				err := f.Decide(context.Background(), core.StageTable, twoNodes(t), out)
				if !errors.Is(err, c.want) || !errors.Is(err, ErrFailed) {
					t.Errorf("decided: %v", err)
				}
				if c.lasts && out[0] != (core.Verdict{}) {
					t.Errorf("verdicts are %v", out)
				}
				if lasts := f.Err() == nil; lasts != c.lasts {
					t.Errorf("the stream lasts: %v", f.Err())
				}
			})
		})
	}
}

func TestFilterEndsWithItsPlugin(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := openFilter(t, func(*pluginpb.FilterBatch) (*pluginpb.FilterVerdicts, error) { return nil, errors.New("boom") })
		if err := f.Decide(context.Background(), core.StageTable, twoNodes(t), make([]core.Verdict, 2)); !errors.Is(err, ErrFailed) {
			t.Errorf("decided: %v", err)
		}
		<-f.Done()
	})
}

// trivialFilter accepts everything.
func trivialFilter(m *pluginpb.FilterBatch) (*pluginpb.FilterVerdicts, error) {
	out := &pluginpb.FilterVerdicts{Id: m.Id, Verdicts: make([]*pluginpb.Verdict, len(m.Nodes))}
	for i := range m.Nodes {
		out.Verdicts[i] = &pluginpb.Verdict{Decision: pluginpb.Decision_DECISION_ACCEPT, Reason: "ok"}
	}
	return out, nil
}

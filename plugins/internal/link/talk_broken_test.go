package link

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/discv5/host/core"
	"github.com/discv5/host/sdk/pluginpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// wantBroken checks that the stream is over, and everything that was open answered empty at once.
func (tt *testTalk) wantBroken(p *core.PendingTalk, kind error) {
	tt.t.Helper()
	synctest.Wait()
	select {
	case <-tt.Done():
	default:
		tt.t.Fatal("the stream lasts")
	}
	if err := tt.Err(); !errors.Is(err, kind) {
		tt.t.Errorf("the stream ended with %v, want %v", err, kind)
	}
	tt.peers.wantAnswer(tt.t, p, "")
	tt.wantShed(request(1, ""), ShedDown)
}

func TestTalkAnswersEmptyAtOnceWhenTheStreamBreaks(t *testing.T) {
	for name, c := range map[string]struct {
		end  error
		want error
	}{
		"by the plugin's end":    {nil, ErrFailed},
		"by an error":            {status.Error(codes.Internal, "boom\x07"), ErrFailed},
		"by a plugin without it": {status.Error(codes.Unimplemented, "no"), ErrRefused},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				tt := openTalk(t, TalkConfig{MaxInFlight: 1})
				p := tt.ask(request(1, ""))
				queued := tt.ask(request(2, ""))
				synctest.Wait()
				tt.end <- c.end
				tt.wantBroken(p, c.want)
				tt.peers.wantAnswer(t, queued, "")
				if strings.ContainsRune(tt.Err().Error(), 7) {
					t.Errorf("the error has control characters: %q", tt.Err())
				}
			})
		})
	}
}

func TestTalkEndsWithAPluginThatFloods(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		tt := openTalk(t, TalkConfig{})
		p := tt.ask(request(1, ""))
		synctest.Wait()
		for range 2 {
			tt.respond("", make([]uint64, maxStrays)...)
		}
		tt.wantBroken(p, ErrFailed)
		if s := tt.Stats(); s.Unknown > maxStrays+chunk {
			t.Errorf("%d responses to nothing were looked at", s.Unknown)
		}
	})
}

func TestTalkEndsWithAPluginThatSendsNothingAtAll(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		tt := openTalk(t, TalkConfig{})
		p := tt.ask(request(1, ""))
		for range maxStrays + 1 {
			tt.out <- &pluginpb.TalkResponses{}
		}
		tt.wantBroken(p, ErrFailed)
	})
}

func TestTalkEndsWithAMessageThatIsTooLarge(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		tt := openTalk(t, TalkConfig{})
		p := tt.ask(request(1, ""))
		tt.respond(strings.Repeat("x", pluginpb.MaxMessage), 1)
		tt.wantBroken(p, ErrFailed)
	})
}

// rawServer serves a stream of any service with bytes.
func rawServer(service, method string, serve func(grpc.ServerStream) error) func(*grpc.Server) {
	return func(s *grpc.Server) {
		s.RegisterService(&grpc.ServiceDesc{
			ServiceName: service, HandlerType: (*any)(nil),
			Streams: []grpc.StreamDesc{{
				StreamName: method, ServerStreams: true, ClientStreams: true,
				Handler: func(_ any, stream grpc.ServerStream) error { return serve(stream) },
			}},
		}, struct{}{})
	}
}

func TestTalkEndsWithGarbage(t *testing.T) {
	for _, garbage := range []string{"\xff", "\x0a\x05ab", "\x0a\x02\x12\x05", "\x08", "\x0b"} {
		inBubble(t, func(t *testing.T) {
			peers := newPeerLog()
			conn := connectRaw(t, rawServer(pluginpb.TalkService, "Serve", func(s grpc.ServerStream) error {
				b := []byte(garbage)
				if err := s.SendMsg(&outgoing{&b}); err != nil {
					return err
				}
				<-s.Context().Done()
				return nil
			}))
			talk, err := OpenTalk(context.Background(), conn, TalkConfig{Protocols: []string{"b"}, Answer: peers.answer})
			if err != nil {
				t.Fatal(err)
			}
			defer talk.Close()
			synctest.Wait()
			if err := talk.Err(); !errors.Is(err, ErrFailed) {
				t.Errorf("%q: %v", garbage, err)
			}
		})
	}
}

func TestTalkNeverBlocksOnAPluginThatDoesNotRead(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		peers := newPeerLog()
		talk := newTalk(t, func(s grpc.BidiStreamingServer[pluginpb.TalkRequests, pluginpb.TalkResponses]) error {
			<-s.Context().Done()
			return nil
		}, peers, TalkConfig{MaxInFlight: 4096, MaxPerPeer: 10_000, MaxQueue: 1000})
		var all []*core.PendingTalk
		r := request(1, strings.Repeat("x", 1100))
		for range 6000 {
			p := new(core.PendingTalk)
			if _, done := talk.StartTalk(r, p); !done {
				all = append(all, p)
			}
		}
		if len(all) != 5096 {
			t.Errorf("%d requests were taken", len(all))
		}
		time.Sleep(300 * time.Millisecond)
		synctest.Wait()
		for _, p := range all {
			peers.wantAnswer(t, p, "")
		}
		if s := talk.Stats(); s.Late != 5096 || s.InFlight != 4096 {
			t.Errorf("stats are %+v", s)
		}
	})
}

// stuckConn is a connection to a plugin that takes nothing.
type stuckConn struct{ grpc.ClientConnInterface }

type stuckStream struct {
	grpc.ClientStream
	ctx context.Context
}

func (stuckConn) NewStream(ctx context.Context, _ *grpc.StreamDesc, _ string, _ ...grpc.CallOption) (grpc.ClientStream, error) {
	return stuckStream{ctx: ctx}, nil
}

func (s stuckStream) SendMsg(any) error {
	<-s.ctx.Done()
	return s.ctx.Err()
}

func (s stuckStream) RecvMsg(any) error {
	<-s.ctx.Done()
	return s.ctx.Err()
}

func TestStartTalkAllocatesNothing(t *testing.T) {
	talk, err := OpenTalk(context.Background(), stuckConn{}, TalkConfig{
		Protocols: []string{"b"}, Answer: func(...core.TalkAnswer) {}, Deadline: time.Hour, MaxInFlight: 4096, MaxPerPeer: 4096,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer talk.Close()
	r, p := request(1, strings.Repeat("x", 32)), new(core.PendingTalk)
	r.Deadline = time.Now().Add(time.Hour)
	if allocs := testing.AllocsPerRun(2000, func() {
		if _, done := talk.StartTalk(r, p); done {
			t.Fatal("shed")
		}
	}); allocs >= 1 {
		t.Errorf("%v allocations per request", allocs)
	}
}

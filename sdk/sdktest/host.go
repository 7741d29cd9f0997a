package sdktest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/discv5/host/sdk"
	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"google.golang.org/grpc"
)

// Host is a host for a test: it answers what the plugin asks and remembers it. Its methods may be called at any time, before the plugin
// starts too. It does what a real one does as far as a plugin can tell, without a network: nodes that it was told of are its table and
// the whole network alike, and each answers a PING.
type Host struct {
	mu       sync.Mutex
	self     *enode.Node
	nodes    []*enode.Node
	talk     func(to enode.ID, protocol string, payload []byte) ([]byte, error)
	failures map[string]error
	calls    []Call
	changed  chan struct{} // closed and made anew at every call and every watch
	kv       map[string]sdk.KVEntry
	fields   map[string][]byte
	bans     map[string]string
	granted  []string
	watching bool
	kinds    []pluginpb.EventKind

	sending sync.Mutex
	link    grpc.BidiStreamingClient[pluginpb.HostReplies, pluginpb.HostCalls]
}

// Call is one call that the plugin made.
type Call struct {
	Name     string         // as its grant: "ping", "talk", "kv", …; several calls may have one grant
	Node     enode.ID       // the node that it is about, or the target
	Addr     netip.AddrPort // if the call has one
	Protocol string         // of talk
	Payload  []byte         // of talk
	Message  *pluginpb.HostCall
}

// NewHost makes a host that knows no nodes.
func NewHost() *Host {
	return &Host{
		self: Node(1<<31, netip.MustParseAddrPort("192.0.2.255:9000")), failures: make(map[string]error), changed: make(chan struct{}),
		kv: make(map[string]sdk.KVEntry), fields: make(map[string][]byte), bans: make(map[string]string),
	}
}

// Self is the host's own node.
func (h *Host) Self() *enode.Node { return h.self }

// AddNodes tells the host of nodes. One with the id of another takes its place.
func (h *Host) AddNodes(nodes ...*enode.Node) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, n := range nodes {
		h.nodes = slices.DeleteFunc(h.nodes, func(old *enode.Node) bool { return old.ID() == n.ID() })
		h.nodes = append(h.nodes, n)
	}
}

// OnTalk makes a function answer the TALKREQs that the plugin sends. nil: nodes do not speak the protocol, and answer empty.
func (h *Host) OnTalk(answer func(to enode.ID, protocol string, payload []byte) ([]byte, error)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.talk = answer
}

// Fail makes all calls of a name fail with an error of package sdk, such as sdk.ErrTimeout, from now on; nil: no longer.
func (h *Host) Fail(name string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failures[name] = err
}

// Calls returns the calls of a name that were made, in their order; "": all.
func (h *Host) Calls(name string) []Call {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.named(name)
}

func (h *Host) named(name string) (calls []Call) {
	for _, c := range h.calls {
		if name == "" || c.Name == name {
			calls = append(calls, c)
		}
	}
	return calls
}

// WaitCalls waits until n calls of a name were made, for 5 s at most, and returns those that were.
func (h *Host) WaitCalls(name string, n int) ([]Call, error) {
	var calls []Call
	err := h.waitFor(func() bool { calls = h.named(name); return len(calls) >= n })
	if err != nil {
		return calls, fmt.Errorf("%d calls of %q instead of %d: %w", len(calls), name, n, err)
	}
	return calls, nil
}

// waitFor waits until a condition holds, which is asked under h.mu.
func (h *Host) waitFor(holds func() bool) error {
	timer := time.NewTimer(answerTime)
	defer timer.Stop()
	for {
		h.mu.Lock()
		done, changed := holds(), h.changed
		h.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-timer.C:
			return fmt.Errorf("waited for %s", answerTime)
		}
	}
}

// Emit sends an event to the plugin. It waits until the plugin watches, for 5 s at most.
func (h *Host) Emit(e sdk.Event) error {
	if err := h.waitFor(func() bool { return h.watching && h.link != nil }); err != nil {
		return fmt.Errorf("the plugin does not watch: %w", err)
	}
	kind := pluginpb.EventKind(e.Kind)
	h.mu.Lock()
	wanted := len(h.kinds) == 0 || slices.Contains(h.kinds, kind)
	h.mu.Unlock()
	if !wanted {
		return nil
	}
	if e.Node != nil && e.ID == (enode.ID{}) {
		e.ID = e.Node.ID()
	}
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	m := &pluginpb.HostEvent{Kind: kind, NodeId: e.ID.Bytes(), TimeMs: uint64(e.Time.UnixMilli()), Lost: e.Lost}
	if e.Node != nil {
		m.Record = record(e.Node)
	}
	if e.Addr.IsValid() {
		m.Ip, m.Port = e.Addr.Addr().AsSlice(), uint32(e.Addr.Port())
	}
	return h.send(&pluginpb.HostReplies{Events: []*pluginpb.HostEvent{m}})
}

// Stored returns the value of a key in the plugin's key-value space.
func (h *Host) Stored(key string) (value []byte, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e, ok := h.kv[key]
	return bytes.Clone(e.Value), ok
}

// Store puts a value into the plugin's key-value space.
func (h *Host) Store(key string, value []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.kv[key] = sdk.KVEntry{Key: []byte(key), Value: bytes.Clone(value)}
}

// Field returns a field that the plugin set in the host's record, as RLP.
func (h *Host) Field(key string) (value []byte, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	value, ok = h.fields[key]
	return value, ok
}

// Banned returns the reason for the ban of a node id (in hex) or an address range, if there is one.
func (h *Host) Banned(subject string) (reason string, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	reason, ok = h.bans[subject]
	return reason, ok
}

// serve opens the plugin's Link and answers on it until it ends.
func (h *Host) serve(ctx context.Context, conn *grpc.ClientConn, grants []string) error {
	stream, err := pluginpb.NewHostClient(conn).Link(ctx)
	if err != nil {
		return err
	}
	h.mu.Lock()
	h.link, h.granted, h.watching = stream, grants, false
	h.mu.Unlock()
	go func() {
		for {
			m, err := stream.Recv()
			if err != nil {
				return
			}
			for _, c := range m.GetCalls() {
				if reply := h.answer(c); reply.GetId() != 0 {
					_ = h.send(&pluginpb.HostReplies{Replies: []*pluginpb.HostReply{reply}}) // the stream's end is seen above
				}
				h.note(c)
			}
		}
	}()
	return nil
}

func (h *Host) send(m *pluginpb.HostReplies) error {
	h.sending.Lock()
	defer h.sending.Unlock()
	return h.link.Send(m)
}

// callCodes are the errors that calls fail with.
var callCodes = []struct {
	err  error
	code pluginpb.CallCode
}{
	{sdk.ErrTimeout, pluginpb.CallCode_CALL_CODE_TIMEOUT},
	{sdk.ErrNotGranted, pluginpb.CallCode_CALL_CODE_NOT_GRANTED},
	{sdk.ErrExhausted, pluginpb.CallCode_CALL_CODE_EXHAUSTED},
	{sdk.ErrTooLarge, pluginpb.CallCode_CALL_CODE_TOO_LARGE},
	{sdk.ErrInvalid, pluginpb.CallCode_CALL_CODE_INVALID},
	{sdk.ErrNotFound, pluginpb.CallCode_CALL_CODE_NOT_FOUND},
	{sdk.ErrNoAddress, pluginpb.CallCode_CALL_CODE_NO_ADDRESS},
	{sdk.ErrNoRecord, pluginpb.CallCode_CALL_CODE_NO_RECORD},
	{sdk.ErrOwned, pluginpb.CallCode_CALL_CODE_OWNED},
	{sdk.ErrBanned, pluginpb.CallCode_CALL_CODE_BANNED},
	{sdk.ErrUnavailable, pluginpb.CallCode_CALL_CODE_UNAVAILABLE},
	{context.Canceled, pluginpb.CallCode_CALL_CODE_CANCELLED},
}

func callError(err error) *pluginpb.CallError {
	for _, c := range callCodes {
		if errors.Is(err, c.err) {
			return &pluginpb.CallError{Code: c.code, Message: err.Error()}
		}
	}
	return &pluginpb.CallError{Message: err.Error()}
}

// answer does a call and remembers it.
func (h *Host) answer(m *pluginpb.HostCall) *pluginpb.HostReply {
	reply := &pluginpb.HostReply{Id: m.GetId()}
	call := describe(m)
	h.mu.Lock()
	err := h.failures[call.Name]
	if err == nil && !slices.Contains(h.granted, call.Name) {
		err = sdk.ErrNotGranted
	}
	talk := h.talk
	h.mu.Unlock()
	switch {
	case err != nil:
	case m.GetTalk() != nil || m.GetTalkSend() != nil:
		err = doTalk(talk, call, m, reply) // without the lock: it is the test's function
	default:
		h.mu.Lock()
		err = h.do(m, call, reply)
		h.mu.Unlock()
	}
	if err != nil {
		reply.Error, reply.Result = callError(err), nil
	}
	h.mu.Lock()
	if len(h.calls) < maxCalls {
		h.calls = append(h.calls, call)
	}
	if call.Name == sdk.GrantWatch {
		h.kinds = m.GetWatch().GetKinds()
	}
	h.mu.Unlock()
	return reply
}

// note wakes those who wait for a call, after it was answered: events may come now, if it was a watch.
func (h *Host) note(m *pluginpb.HostCall) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watching = h.watching || m.GetWatch() != nil && h.failures[sdk.GrantWatch] == nil && slices.Contains(h.granted, sdk.GrantWatch)
	close(h.changed)
	h.changed = make(chan struct{})
}

// maxCalls bounds the calls that are remembered.
const maxCalls = 100_000

// randomID is a random target.
func randomID() (id enode.ID) {
	_, _ = rand.Read(id[:]) // it does not fail
	return id
}

package link

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/discv5/host/core"
	"github.com/discv5/host/sdk/pluginpb"
)

// To add a host call: a message in host.proto, a kind here with its grant and its cost, and a case in handle.

// callKind is what a plugin asks for.
type callKind uint8

const (
	callUnknown callKind = iota
	callSelf
	callPing
	callFindNode
	callTalk
	callTalkSend
	callLookup
	callResolve
	callClosest
	callSample
	callWatch
	callSetFields
	callKvPut
	callKvGet
	callKvScan
	callKvDelete
	callBan
	callUnban
	numCalls
)

// kinds tells about each kind its name in metrics, the grant that it needs, and the work that it causes in units of a talk
// call: what holds up the node for longer, or writes to its disk, costs more.
var kinds = [numCalls]struct {
	name, grant string
	cost        int
}{
	callUnknown:   {"unknown", "", 1},
	callSelf:      {"self", "self", 1},
	callPing:      {"ping", "ping", 2},
	callFindNode:  {"find_node", "findnode", 2},
	callTalk:      {"talk", "talk", 1},
	callTalkSend:  {"talk_send", "talk", 1},
	callLookup:    {"lookup", "lookup", 50},
	callResolve:   {"resolve", "resolve", 10},
	callClosest:   {"closest", "closest", 10},
	callSample:    {"sample", "sample", 50},
	callWatch:     {"watch", "watch", 1000},
	callSetFields: {"set_fields", "record", 1000},
	callKvPut:     {"kv_put", "kv", 10},
	callKvGet:     {"kv_get", "kv", 10},
	callKvScan:    {"kv_scan", "kv", 100},
	callKvDelete:  {"kv_delete", "kv", 10},
	callBan:       {"ban", "ban", 50},
	callUnban:     {"unban", "ban", 2000},
}

func kindOf(c *pluginpb.HostCall) callKind {
	switch c.Call.(type) {
	case *pluginpb.HostCall_Self:
		return callSelf
	case *pluginpb.HostCall_Ping:
		return callPing
	case *pluginpb.HostCall_FindNode:
		return callFindNode
	case *pluginpb.HostCall_Talk:
		return callTalk
	case *pluginpb.HostCall_TalkSend:
		return callTalkSend
	case *pluginpb.HostCall_Lookup:
		return callLookup
	case *pluginpb.HostCall_Resolve:
		return callResolve
	case *pluginpb.HostCall_Closest:
		return callClosest
	case *pluginpb.HostCall_Sample:
		return callSample
	case *pluginpb.HostCall_Watch:
		return callWatch
	case *pluginpb.HostCall_SetFields:
		return callSetFields
	case *pluginpb.HostCall_KvPut:
		return callKvPut
	case *pluginpb.HostCall_KvGet:
		return callKvGet
	case *pluginpb.HostCall_KvScan:
		return callKvScan
	case *pluginpb.HostCall_KvDelete:
		return callKvDelete
	case *pluginpb.HostCall_Ban:
		return callBan
	case *pluginpb.HostCall_Unban:
		return callUnban
	}
	return callUnknown
}

// handle starts a call; those that wait for nothing end here.
func (h *Host) handle(c *pluginpb.HostCall) {
	kind := kindOf(c)
	h.pace.spend(kinds[kind].cost)
	switch {
	case kind == callUnknown:
		h.refuse(c.Id, kind, pluginpb.CallCode_CALL_CODE_INVALID, "this host does not know the call")
		return
	case !h.grants[kinds[kind].grant]:
		h.refuse(c.Id, kind, pluginpb.CallCode_CALL_CODE_NOT_GRANTED, fmt.Sprintf("grant %q is missing in the configuration", kinds[kind].grant))
		return
	case c.Id == 0 && kind != callTalkSend:
		h.refuse(0, kind, pluginpb.CallCode_CALL_CODE_INVALID, "no id")
		return
	}
	switch call := c.Call.(type) {
	case *pluginpb.HostCall_Self:
		h.reply(c.Id, kind, &pluginpb.HostReply{Result: &pluginpb.HostReply_Self{Self: nodeRecord(h.cfg.Services.Self())}})
	case *pluginpb.HostCall_Talk:
		h.talk(c, call.Talk)
	case *pluginpb.HostCall_TalkSend:
		h.talkSend(c.Id, call.TalkSend)
	case *pluginpb.HostCall_Closest:
		h.end(c.Id, kind, h.closest(call.Closest))
	case *pluginpb.HostCall_Sample:
		h.end(c.Id, kind, h.sample(call.Sample))
	case *pluginpb.HostCall_Watch:
		h.startWatch(c.Id, call.Watch)
	case *pluginpb.HostCall_Ban:
		h.end(c.Id, kind, h.ban(call.Ban))
	case *pluginpb.HostCall_Ping:
		h.async(c, kind, h.ping(call.Ping))
	case *pluginpb.HostCall_FindNode:
		h.async(c, kind, h.findNode(call.FindNode))
	case *pluginpb.HostCall_Lookup:
		h.async(c, kind, h.lookup(call.Lookup))
	case *pluginpb.HostCall_Resolve:
		if call.Resolve.GetLocal() {
			h.end(c.Id, kind, h.known(call.Resolve))
			return
		}
		h.async(c, kind, h.resolve(call.Resolve))
	case *pluginpb.HostCall_SetFields:
		h.async(c, kind, h.setFields(call.SetFields))
	case *pluginpb.HostCall_KvPut:
		h.async(c, kind, h.kvPut(call.KvPut))
	case *pluginpb.HostCall_KvGet:
		h.async(c, kind, h.kvGet(call.KvGet))
	case *pluginpb.HostCall_KvScan:
		h.async(c, kind, h.kvScan(call.KvScan))
	case *pluginpb.HostCall_KvDelete:
		h.async(c, kind, h.kvDelete(call.KvDelete))
	case *pluginpb.HostCall_Unban:
		h.async(c, kind, h.unban(call.Unban))
	}
}

// outcome is a reply, or why there is none.
type outcome struct {
	reply *pluginpb.HostReply
	err   error
}

func failure(code pluginpb.CallCode, format string, args ...any) outcome {
	return outcome{err: &callError{code, fmt.Sprintf(format, args...)}}
}

var succeeded = &pluginpb.Done{}

func succeed() outcome {
	return outcome{reply: &pluginpb.HostReply{Result: &pluginpb.HostReply_Done{Done: succeeded}}}
}

// end replies to a call.
func (h *Host) end(id uint64, kind callKind, o outcome) {
	if o.err != nil {
		code, message := codeOf(o.err)
		h.refuse(id, kind, code, message)
		return
	}
	h.reply(id, kind, o.reply)
}

func (h *Host) refuse(id uint64, kind callKind, code pluginpb.CallCode, message string) {
	h.reply(id, kind, &pluginpb.HostReply{Error: &pluginpb.CallError{Code: code, Message: clean(message, maxMessageText)}})
}

// admit opens a call. It reports false when the reply was given: too many are open, or the id is in use.
func (h *Host) admit(id uint64, kind callKind, cancel context.CancelFunc) bool {
	h.mu.Lock()
	_, twice := h.open[id]
	room := len(h.open) < h.cfg.MaxCalls
	if !twice && room {
		h.open[id] = &call{kind: kind, cancel: cancel}
		h.mu.Unlock()
		return true
	}
	h.mu.Unlock()
	if twice {
		h.refuse(0, kind, pluginpb.CallCode_CALL_CODE_INVALID, "id in use") // the call that has it gets the reply
	} else {
		h.refuse(id, kind, pluginpb.CallCode_CALL_CODE_EXHAUSTED, fmt.Sprintf("%d calls are open", h.cfg.MaxCalls))
	}
	return false
}

// async runs a call on a goroutine of its own, of which there are at most MaxCalls.
func (h *Host) async(c *pluginpb.HostCall, kind callKind, run func(context.Context) outcome) {
	ctx, cancel := context.WithTimeout(h.ctx, timeoutOf(c))
	if !h.admit(c.Id, kind, cancel) {
		cancel()
		return
	}
	h.calls.Go(func() {
		defer cancel()
		o := run(ctx)
		h.finish(c.Id)
		h.end(c.Id, kind, o)
	})
}

func timeoutOf(c *pluginpb.HostCall) time.Duration {
	if c.TimeoutMs == 0 {
		return defaultCallTimeout
	}
	return min(time.Duration(c.TimeoutMs)*time.Millisecond, maxCallTimeout)
}

// callError is an error with its code.
type callError struct {
	code    pluginpb.CallCode
	message string
}

func (e *callError) Error() string { return e.message }

// codes are the errors of core and what a plugin sees of them; the first that fits.
var codesOf = []struct {
	err  error
	code pluginpb.CallCode
}{
	{core.ErrSpaceUnread, pluginpb.CallCode_CALL_CODE_UNAVAILABLE},
	{core.ErrTimeout, pluginpb.CallCode_CALL_CODE_TIMEOUT},
	{context.DeadlineExceeded, pluginpb.CallCode_CALL_CODE_TIMEOUT},
	{context.Canceled, pluginpb.CallCode_CALL_CODE_CANCELLED},
	{core.ErrBusy, pluginpb.CallCode_CALL_CODE_EXHAUSTED},
	{core.ErrTooLarge, pluginpb.CallCode_CALL_CODE_TOO_LARGE},
	{core.ErrRecordTooLarge, pluginpb.CallCode_CALL_CODE_TOO_LARGE},
	{core.ErrSpaceFull, pluginpb.CallCode_CALL_CODE_TOO_LARGE},
	{core.ErrNotFound, pluginpb.CallCode_CALL_CODE_NOT_FOUND},
	{core.ErrNoAddress, pluginpb.CallCode_CALL_CODE_NO_ADDRESS},
	{core.ErrNoRecord, pluginpb.CallCode_CALL_CODE_NO_RECORD},
	{core.ErrNoSession, pluginpb.CallCode_CALL_CODE_NO_RECORD},
	{core.ErrFieldOwned, pluginpb.CallCode_CALL_CODE_OWNED},
	{core.ErrFieldReserved, pluginpb.CallCode_CALL_CODE_OWNED},
	{core.ErrBanned, pluginpb.CallCode_CALL_CODE_BANNED},
	{core.ErrSelf, pluginpb.CallCode_CALL_CODE_INVALID},
	{core.ErrClosed, pluginpb.CallCode_CALL_CODE_UNAVAILABLE},
	{core.ErrRecordNotSaved, pluginpb.CallCode_CALL_CODE_UNAVAILABLE},
}

func codeOf(err error) (pluginpb.CallCode, string) {
	var e *callError
	if errors.As(err, &e) {
		return e.code, e.message
	}
	for _, c := range codesOf {
		if errors.Is(err, c.err) {
			return c.code, err.Error()
		}
	}
	return pluginpb.CallCode_CALL_CODE_UNSPECIFIED, err.Error()
}

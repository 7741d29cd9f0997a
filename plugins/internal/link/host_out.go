package link

import (
	"github.com/discv5/host/sdk/pluginpb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

const (
	// maxUnsentReplies is how many bytes of replies and events may wait before the plugin is read no further.
	maxUnsentReplies = 1 << 20
	// maxUnsentEvents is how many events may wait before they do so in core, where those that find no place are counted.
	maxUnsentEvents = 512
)

// replies collects what the writer sends next. It grows beyond its bound only by the replies of calls that are open.
type replies struct {
	current *[]byte
	full    []*[]byte
	size    int
	events  int
}

func (r *replies) add(key byte, m proto.Message) {
	if r.current != nil && len(*r.current) >= maxMessage {
		r.full = append(r.full, r.current)
		r.current = nil
	}
	if r.current == nil {
		r.current = buffers.Get(bufferSize)
	}
	b := *r.current
	before := len(b)
	b = protowire.AppendVarint(append(b, key), uint64(proto.Size(m)))
	b, err := proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(b, m)
	if err != nil {
		b = b[:before] // text that is not UTF-8, which clean leaves none of
	}
	*r.current = b
	r.size += len(b) - before
}

func (r *replies) take() *[]byte {
	b := r.current
	if len(r.full) > 0 {
		b, r.full = r.full[0], r.full[1:]
	} else {
		r.current, r.events = nil, 0
	}
	if b != nil {
		r.size -= len(*b)
	}
	return b
}

// reply hands a reply to the writer.
func (h *Host) reply(id uint64, kind callKind, m *pluginpb.HostReply) {
	m.Id = id
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stats.calls[kind][resultOf(m)]++
	if id == 0 || h.err != nil {
		return
	}
	h.out.add(key1Bytes, m)
	h.pending.Signal()
}

// finish frees the place of a call, right before its reply.
func (h *Host) finish(id uint64) (cancelled bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.open[id]
	delete(h.open, id)
	return c != nil && c.cancelled
}

// crowded tells whether the plugin has to take replies before it is read further.
func (h *Host) crowded() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err != nil || h.out.size >= maxUnsentReplies
}

// waitForRoom waits until the plugin has taken enough of its replies. It reports false when the stream is over.
func (h *Host) waitForRoom() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.err == nil && h.out.size >= maxUnsentReplies {
		h.room.Wait()
	}
	return h.err == nil
}

// write sends what is pending, until the stream is over.
func (h *Host) write() {
	var m outgoing
	for {
		h.mu.Lock()
		for h.err == nil && h.out.size == 0 {
			h.pending.Wait()
		}
		if h.err != nil {
			h.mu.Unlock()
			return
		}
		m.data = h.out.take()
		h.room.Broadcast()
		h.mu.Unlock()
		if m.data == nil {
			continue
		}
		if err := h.stream.SendMsg(&m); err != nil {
			return // the reader learns why
		}
	}
}

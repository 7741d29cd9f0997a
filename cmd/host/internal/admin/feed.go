package admin

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/discv5/host/core"
	"github.com/discv5/host/plugins"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// KeptEvents is how many events are kept for those who come back, about 2 KB each.
const KeptEvents = 2048

const ringSize = KeptEvents

// maxDetail bounds the bytes of a detail.
const maxDetail = 1 << 10

// PluginState is the type of the event that a plugin came to another state.
const PluginState = "plugin_state"

// ConfigReloaded is the type of the event that the configuration was taken in anew; its detail is the outcome and what came of it.
const ConfigReloaded = "config_reloaded"

// EventsLost is the type of the event that tells a reader of a gap, whatever the types are that it asks for.
const EventsLost = "events_lost"

// Oldest stands for the id of an event before all that are kept.
const Oldest = "0"

// Event is something that happened, as the stream of events shows it. Fields that do not apply are left out.
type Event struct {
	ID     string         `json:"id"` // what a reader comes back with
	Type   string         `json:"type"`
	Time   time.Time      `json:"time"`
	NodeID string         `json:"nodeId,omitempty"`
	Addr   netip.AddrPort `json:"addr,omitzero"`
	Prefix netip.Prefix   `json:"prefix,omitzero"` // of a ban of an address range
	ENR    string         `json:"enr,omitempty"`
	Detail string         `json:"detail,omitempty"` // a reason, or a new state

	Plugin string `json:"plugin,omitempty"` // "talk.echo"
	From   string `json:"from,omitempty"`   // states of the plugin
	To     string `json:"to,omitempty"`     // of a reload, its outcome

	Lost uint64 `json:"lost,omitempty"` // events that are missing right before this one
}

// EventTypes are the types of events.
func EventTypes() []string {
	types := []string{PluginState, ConfigReloaded}
	for t := core.NodeAdded; t.String() != "unknown"; t++ {
		types = append(types, t.String())
	}
	return append(types, EventsLost)
}

// Feed keeps the last events. It never waits for who reads them. All methods may be called from any goroutine.
type Feed struct {
	epoch string // distinguishes the ids of this run from those of others

	mu   sync.Mutex // a leaf
	ring [ringSize]*entry
	next uint64        // number of the next event
	wake chan struct{} // closed at the next event; nil: nobody waits

	reloaded *ReloadResult // by the last reload; nil: there was none
}

// entry is an event in the feed. It becomes text when the first reader wants it.
type entry struct {
	number uint64
	kind   string
	node   core.Event
	plugin plugins.Event
	reload *ReloadResult

	once sync.Once
	text []byte // as it goes over the wire
}

// NewFeed makes a feed without events.
func NewFeed() *Feed { return &Feed{epoch: strconv.FormatInt(time.Now().UnixMilli(), 36), next: 1} }

// Plugin takes in a change of a plugin's state. It is fit for plugins.Config.OnEvent.
func (f *Feed) Plugin(e plugins.Event) { f.publish(&entry{kind: PluginState, plugin: e}) }

// Reloaded takes in what came of a reload of the configuration.
func (f *Feed) Reloaded(r ReloadResult) {
	r.complete()
	f.mu.Lock()
	f.reloaded = &r
	f.mu.Unlock()
	f.publish(&entry{kind: ConfigReloaded, reload: &r})
}

func (f *Feed) lastReload() *ReloadResult {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reloaded
}

func (f *Feed) follow(events <-chan core.Event) {
	for e := range events {
		f.publish(&entry{kind: e.Type.String(), node: e})
	}
}

func (f *Feed) publish(e *entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e.number = f.next
	f.ring[f.next%ringSize] = e
	f.next++
	if f.wake != nil {
		close(f.wake)
		f.wake = nil
	}
}

// after appends the events behind a number, up to most of them, and tells how many are gone. When there are none, wake is closed at the
// next one.
func (f *Feed) after(dst []*entry, number uint64, most int) (events []*entry, lost uint64, wake <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	from := number + 1
	if oldest := f.oldest(); from < oldest {
		lost, from = oldest-from, oldest
	}
	if from == f.next {
		if f.wake == nil {
			f.wake = make(chan struct{})
		}
		return dst, lost, f.wake
	}
	for ; from < f.next && len(dst) < most; from++ {
		dst = append(dst, f.ring[from%ringSize])
	}
	return dst, lost, nil
}

func (f *Feed) oldest() uint64 {
	if f.next <= ringSize {
		return 1
	}
	return f.next - ringSize
}

func (f *Feed) last() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.next - 1
}

// id is what a reader comes back with.
func (f *Feed) id(number uint64) string { return fmt.Sprintf("%s-%d", f.epoch, number) }

// parse is the opposite of id. An id of another run stands for the beginning of this one, and its gap has no known size.
func (f *Feed) parse(id string) (number uint64, sameRun bool, err error) {
	if id == Oldest {
		return 0, true, nil
	}
	epoch, digits, _ := strings.Cut(id, "-")
	number, err = strconv.ParseUint(digits, 10, 64)
	if err != nil || epoch == "" {
		return 0, false, fmt.Errorf("%q is not the id of an event", id)
	}
	if epoch != f.epoch {
		return 0, false, nil
	}
	return min(number, f.last()), true, nil
}

// wire is the event in the format of a stream.
func (e *entry) wire(f *Feed) []byte {
	e.once.Do(func() { e.text = frame(e.kind, f.id(e.number), e.event()) })
	return e.text
}

func frame(kind, id string, e Event) []byte {
	e.ID = id
	data, _ := encode(e) // text, numbers and times always do
	return fmt.Appendf(nil, "event: %s\nid: %s\ndata: %s\n", kind, id, data)
}

// appendPlace appends what tells a reader where it is without an event.
func (f *Feed) appendPlace(dst []byte, number uint64) []byte {
	return fmt.Appendf(dst, "id: %s\n\n", f.id(number))
}

func (e *entry) event() Event {
	if e.kind == PluginState {
		p := e.plugin
		return Event{Type: e.kind, Time: p.At, Plugin: p.ID, From: p.From.String(), To: p.To.String(), Detail: p.Reason}
	}
	if r := e.reload; r != nil {
		return Event{Type: e.kind, Time: r.At, To: r.Outcome(), Detail: cut(r.String(), maxDetail)}
	}
	n := e.node
	v := Event{Type: e.kind, Time: n.Time, Addr: n.Addr, Prefix: n.Prefix, Detail: n.Detail, Lost: n.Lost}
	if (n.ID != enode.ID{}) {
		v.NodeID = hexID(n.ID)
	}
	if n.Node != nil {
		v.ENR = n.Node.String()
	}
	return v
}

// cut shortens text to a number of bytes.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
